package h1

// governing gathers what the fields say that govern a message: its framing, its host, its connection.
type governing struct {
	options   options
	host      string
	hosts     int // number of Host fields
	length    int64
	lengths   int  // number of Content-Length values
	chunked   bool // of a request
	codings   codings
	upgrade   string
	upgrades  int // number of Upgrade fields
	expect100 bool
	trailers  bool
}

// options is what the Connection fields say (RFC 9110 §7.6.1).
type options struct{ close, keepAlive, upgrade bool }

func (o *options) add(value string) {
	if EqualFold(value, "keep-alive") { // what browsers send
		o.keepAlive = true
		return
	}
	for t := range Tokens(value) {
		switch {
		case EqualFold(t, "close"):
			o.close = true
		case EqualFold(t, "keep-alive"):
			o.keepAlive = true
		case EqualFold(t, "upgrade"):
			o.upgrade = true
		}
	}
}

// closes reports whether the connection ends after a message of HTTP/1.minor (RFC 9112 §9.3).
func (g *governing) closes(minor uint8) bool {
	return g.options.close || minor == 0 && !g.options.keepAlive
}

// mayGovern reports whether a field may govern a message, by its first letter alone: c, e, h, t or u in any case.
func mayGovern(name string) bool {
	const letters = 1<<('c'&31) | 1<<('e'&31) | 1<<('h'&31) | 1<<('t'&31) | 1<<('u'&31)
	return letters>>(name[0]&31)&1 != 0
}

// inRequest takes note of a request's field. Nothing that governs a request may be said twice, except for the lists
// Connection and TE.
func (g *governing) inRequest(name, value string) *refusal {
	switch len(name) {
	case 2:
		if EqualFold(name, "te") {
			for t := range Tokens(value) {
				g.trailers = g.trailers || EqualFold(t, "trailers")
			}
		}
	case 4:
		if EqualFold(name, "host") {
			if g.hosts > 0 {
				return errHostMany
			}
			g.hosts, g.host = 1, value
		}
	case 6:
		if EqualFold(name, "expect") {
			g.expect100 = g.expect100 || EqualFold(value, "100-continue")
		}
	case 7:
		if EqualFold(name, "upgrade") {
			if g.upgrades > 0 {
				return errUpgradeMany
			}
			g.upgrades, g.upgrade = 1, value
		}
	case 10:
		if EqualFold(name, "connection") {
			g.options.add(value)
		}
	case 14:
		if imitates(name, "content-length") {
			return g.requestLength(name, value)
		}
	case 17:
		if imitates(name, "transfer-encoding") {
			return g.requestCoding(name, value)
		}
	}
	return nil
}

func (g *governing) requestLength(name, value string) *refusal {
	n, ok := parseLength(value)
	switch {
	case name[7] == '_':
		return errImitation
	case g.lengths > 0:
		return errLengthMany
	case !ok:
		return errLength
	}
	g.length, g.lengths = n, 1
	return nil
}

func (g *governing) requestCoding(name, value string) *refusal {
	switch {
	case name[8] == '_':
		return errImitation
	case g.chunked || !EqualFold(value, "chunked"):
		return errTE
	}
	g.chunked = true
	return nil
}

// imitates is EqualFold, but takes "_" in name for "-", as gateways to CGI's environment variables do.
func imitates(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c-'A' < 26 {
			c |= 0x20
		} else if c == '_' {
			c = '-'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// inResponse takes note of a response's field, with the tolerance of RFC 9112 §6.3: a Content-Length may be repeated
// if all values are identical.
func (g *governing) inResponse(name, value string) *refusal {
	switch len(name) {
	case 7:
		if EqualFold(name, "upgrade") && g.upgrade == "" {
			g.upgrade = value
		}
	case 10:
		if EqualFold(name, "connection") {
			g.options.add(value)
		}
	case 14:
		if EqualFold(name, "content-length") {
			return g.responseLength(value)
		}
	case 17:
		if EqualFold(name, "transfer-encoding") {
			return g.codings.add(value)
		}
	}
	return nil
}

func (g *governing) responseLength(value string) *refusal {
	if n, ok := parseLength(value); ok && g.lengths == 0 {
		g.length, g.lengths = n, 1
		return nil
	}
	before := g.lengths
	for t := range Tokens(value) {
		n, ok := parseLength(t)
		switch {
		case !ok:
			return errLength
		case g.lengths > 0 && n != g.length:
			return errLengthMany
		}
		g.length = n
		g.lengths++
	}
	if g.lengths == before {
		return errLength
	}
	g.lengths = max(g.lengths, 2) // a list is to be written as one value, though it has one element
	return nil
}

// codings is what the Transfer-Encoding fields of a response say (RFC 9112 §6.1 and §7).
type codings struct {
	any     bool // there is one
	chunked bool // chunked was applied
	final   bool // chunked was applied last
	coded   bool // a coding that changes the content was applied
}

func (c *codings) add(value string) *refusal {
	known := false
	for t := range Tokens(value) {
		known = true
		switch {
		case c.chunked && EqualFold(t, "chunked"):
			return errTE
		case EqualFold(t, "chunked"):
			c.chunked, c.final = true, true
		case EqualFold(t, "identity"):
			c.final = false
		case EqualFold(t, "gzip"), EqualFold(t, "x-gzip"), EqualFold(t, "deflate"),
			EqualFold(t, "compress"), EqualFold(t, "x-compress"):
			c.coded, c.final = true, false
		default:
			return errTE
		}
	}
	if !known {
		return errTE
	}
	c.any = true
	return nil
}
