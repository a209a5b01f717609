"""Programs of Trio and asyncio in the time of a simulated cluster."""
