"""The scheduler. Where each row of spec 4 is tested:

| spec | tests |
|---|---|
| 4.1 buffer | `test_spec_4_1_buffers`; what a buffer does by itself: `unitapi/test_5_7_buffer` |
| 4.2 buffer list | `unitapi/test_5_8_buffer_list` |
| 4.3 to 4.9, 4.11 to 4.13 | the module with that number |
| 4.10 status codes | `unitapi/test_5_4_status`; what they do: `test_spec_4_10_effects_of_statuses` |
| 4.13 watchdog | `test_stalls` |
| A.1 to A.6 | `sdk/test_spec_appendix_a_worked_examples` |
| C.7 to C.10 | `test_spec_appendix_c_items_7_to_10` |

`test_random_graphs` compares all of it together with a model. How to make flows: `parts`, `programs`, `folders`,
`support`.
"""
