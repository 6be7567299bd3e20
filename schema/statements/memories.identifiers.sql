SELECT identifier FROM memories AS conversation ORDER BY 1
