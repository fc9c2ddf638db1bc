def write_html(path, report):
    path.write_text("")
