"""Services that are listed while they work, and programs that run when something happens."""
