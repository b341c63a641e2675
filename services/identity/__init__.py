"""Who a machine is, proven: credentials verified against a trust bundle. Nothing here decides who may join."""
