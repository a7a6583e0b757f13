"""The verbs that bring a model elsewhere: name, arguments, function, what each is about."""

from seq2seq_kit.cli import exporting, registering, serving

VERBS = (
    ("export", exporting.arguments, exporting.export, "write a model for other runtimes, compared with the bundle"),
    ("serve", serving.arguments, serving.serve, "answer requests over HTTP, on this machine only unless told"),
    ("image", serving.image_arguments, serving.image, "write a Dockerfile with its context: the server of a model"),
    ("page", exporting.page_arguments, exporting.page, "write a page that forecasts in a browser, without a network"),
    ("register", registering.arguments, registering.register, registering.ABOUT),
)
