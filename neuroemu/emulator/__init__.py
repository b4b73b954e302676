"""The clock: runs compiled chip programs tick by tick, knowing no chip by name."""
