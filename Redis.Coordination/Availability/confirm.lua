-- Writes nothing: a WAIT behind any command speaks for all that the server holds when it runs.
return 1
