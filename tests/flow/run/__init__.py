"""The scheduler. Where each row of spec 4 is tested:

| spec | tests |
|---|---|
| 4.1 buffer | `test_spec_4_1_buffers`; what a buffer does by itself: `unitapi/test_5_7_buffer` |
| 4.2 buffer list | `unitapi/test_5_8_buffer_list` |
| 4.3 to 4.9, 4.11 to 4.13 | the module with that number |
| 4.10 status codes | `unitapi/test_5_4_status`; what they do: `test_spec_4_10_effects_of_statuses` |
| 4.13 watchdog | `test_stalls` |
| A.1 to A.6 | `sdk/test_appendix_a_worked_examples` |
| C.7 batching | 4.5, 4.6 |
| C.8 error buffers | 4.11 |
| C.9 what ends a flow | 4.7, 4.10 |
| C.10 data_pre, empty streams, events, shutdown | 4.7 to 4.10, 4.12 |

`test_random_graphs` compares all of it together with a model. How to make flows: `parts`, `programs`, `folders`,
`support`.
"""
