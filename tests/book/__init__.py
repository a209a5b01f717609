"""The book: the pages of ``gossipmm/docs``, with a reference made from the program itself."""
