# SPDX-License-Identifier: GPL-3.0-or-later
"""The og* commands of OpenGnsys' engine: old names, arguments, output and exit codes.

``names`` says in which module of this package a function lives; that module's ``COMMANDS``
table says its arguments and what is called; ``__main__`` runs one. A module is imported only
for its own functions: a script may call hundreds of them.
"""
