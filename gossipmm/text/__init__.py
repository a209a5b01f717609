"""Every sentence for people about members, evidence, events and refusals, made from codes, once.

Page, commands, console, log and control API show these sentences, so that all say the same.
"""
