// The viewer of lines: what a page of /events has beyond links and forms.
