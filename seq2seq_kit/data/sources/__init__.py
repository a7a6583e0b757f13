"""Where rows come from: tables of Python, files and folders of them, addresses, databases. Nothing here looks into the rows."""
