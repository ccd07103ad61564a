"""The HTTP front of a flow, with its units. Where each row of spec 7.3 is tested:

| spec 7.3 | tests |
|---|---|
| options; defaults | `test_spec_7_3_options`, `test_spec_7_3_endpoints`; `units/test_descriptions` |
| TLS | `tls/test_spec_7_3_tls` |
| listening, prefix, methods, /health, bodies, buffer and metas, security headers | `test_spec_7_3_receive` |
| 429, 408 | `test_spec_7_3_options` |
| httpserver_async | `test_spec_7_3_async` |
| httpserver_sync_reply | `test_spec_7_3_reply` |
| C.11 HTTP | `test_spec_appendix_c_item_11` |
"""
