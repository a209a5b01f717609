"""Every sentence for a person about members, evidence, events and refusals, made from codes, once.

Page, commands, console, log and control API show what is made here, so that all say the same.
"""
