package wire

import (
	"slices"
	"strconv"
	"strings"
)

// layout is what a request's fields depend on besides software and request.
type layout struct {
	host   string
	secure bool // over TLS: browsers tell more of themselves (Secure Contexts §3.1)
	http2  bool // what frames a connection's messages is left out (RFC 9113 §8.2.2)
}

// lay appends the fields of q in the software's order, but for pseudo-header fields.
func (s *Software) lay(dst []Field, q *Request, l layout) []Field {
	dest := q.Dest
	if dest == "" {
		dest = "document"
	}
	p := placing{software: s, request: q, layout: l, dest: dest, out: dst}
	if !l.http2 && indexField(s.Fields, "Host") < 0 {
		p.out = append(p.out, Field{"Host", l.host})
	}
	switch {
	case s.loads == nil || dest == "document":
		for _, f := range s.Fields {
			p.place(f)
		}
	case dest == socket:
		p.parts(s.loads.sockets)
	default:
		p.parts(s.loads.order)
	}
	p.rest()
	return p.out
}

// part returns the value that the software gives a field of a request for part of a page.
func (s *Software) part(name, dest string) string {
	switch name {
	case "Accept":
		if accept, ok := s.loads.accept[dest]; ok {
			return accept
		}
		return "*/*"
	case "Priority":
		return s.loads.priority[dest]
	case "Sec-Fetch-Dest":
		return dest
	case "Sec-Fetch-Mode":
		switch dest {
		case "empty", "font":
			return "cors"
		case socket:
			return socket
		}
		return "no-cors"
	}
	if i := indexField(s.Fields, name); i >= 0 {
		return s.Fields[i].Value
	}
	return ""
}

// placing puts a request's fields in order.
type placing struct {
	software *Software
	request  *Request
	layout   layout
	dest     string
	placed   uint64 // of the request's own first 64 fields
	sized    bool   // Content-Length is there
	out      []Field
}

// parts puts the fields of a request for what a page loads.
func (p *placing) parts(order []string) {
	for _, name := range order {
		p.place(Field{name, p.software.part(name, p.dest)})
	}
}

// place puts the field that the software has here, or the request's own of that name.
func (p *placing) place(f Field) {
	if p.omits(f.Name) {
		return
	}
	own := false
	for i := range p.request.Fields {
		if i < 64 && strings.EqualFold(p.request.Fields[i].Name, f.Name) {
			p.out = append(p.out, Field{f.Name, p.request.Fields[i].Value})
			p.placed |= 1 << i
			own = true
		}
	}
	if own {
		return
	}
	if value := p.value(f); value != "" {
		p.out = append(p.out, Field{f.Name, value})
	}
}

// value returns the software's own value of a field in this request, "" if it has none.
func (p *placing) value(f Field) string {
	switch {
	case strings.EqualFold(f.Name, "Host"):
		return p.layout.host
	case strings.EqualFold(f.Name, "Content-Length"):
		p.sized = true
		return p.size()
	case p.software.loads == nil:
	case f.Name == "Accept-Encoding" && !p.layout.secure:
		return "gzip, deflate" // the others are not offered where a middlebox might look in
	case f.Name == "Origin" && (p.request.Method == "POST" || p.dest == socket):
		return p.origin()
	case f.Name == "Sec-Fetch-Site":
		return p.site()
	}
	return f.Value
}

// omits reports whether a field has no place in this layout.
func (p *placing) omits(name string) bool {
	if p.layout.http2 {
		switch strings.ToLower(name) {
		case "host", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
			return true
		}
		return false
	}
	if p.software.loads == nil {
		return false
	}
	return slices.Contains(p.software.loads.http2, name) || !p.layout.secure && len(name) > 4 && strings.EqualFold(name[:4], "sec-") && indexField(p.request.Fields, name) < 0
}

// rest puts what has no place.
func (p *placing) rest() {
	for i, f := range p.request.Fields {
		if (i >= 64 || p.placed&(1<<i) == 0) && !(p.layout.http2 && p.omits(f.Name)) {
			p.out = append(p.out, f)
		}
	}
	if size := p.size(); size != "" && !p.sized {
		p.out = append(p.out, Field{"Content-Length", size})
	}
}

// size is the Content-Length of a request that has content, "" of others (RFC 9110 §8.6).
func (p *placing) size() string {
	if len(p.request.Body) == 0 && p.request.Method != "POST" && p.request.Method != "PUT" {
		return ""
	}
	return strconv.Itoa(len(p.request.Body))
}

func (p *placing) origin() string { return Target{Host: p.layout.host, TLS: p.layout.secure}.Origin() }

// site is Sec-Fetch-Site as the Referer shows it (Fetch Metadata §2.3).
func (p *placing) site() string {
	i := indexField(p.request.Fields, "Referer")
	if i < 0 {
		if p.dest == "document" {
			return "none"
		}
		return "same-origin"
	}
	rest, ok := strings.CutPrefix(p.request.Fields[i].Value, p.origin())
	if ok && (rest == "" || rest[0] == '/') {
		return "same-origin"
	}
	return "cross-site"
}

// indexField returns where the first field of that name is, -1 if there is none.
func indexField(fields []Field, name string) int {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return i
		}
	}
	return -1
}

// render appends a request of HTTP/1.1 (RFC 9112 §3).
func (c *Conn) render(out []byte, q *Request) []byte {
	method, host := q.Method, q.Host
	if method == "" {
		method = "GET"
	}
	if host == "" {
		host = c.target.Host
	}
	out = append(append(append(append(out, method...), ' '), q.Path...), " HTTP/1.1\r\n"...)
	var room [32]Field
	for _, f := range c.software.lay(room[:0], q, layout{host: host, secure: c.target.TLS}) {
		out = append(append(append(append(out, f.Name...), ": "...), f.Value...), "\r\n"...)
	}
	return append(append(out, "\r\n"...), q.Body...)
}
