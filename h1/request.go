package h1

import "strings"

// TargetForm is the form of a request target (RFC 9112 §3.2).
type TargetForm uint8

const (
	Origin    TargetForm = iota // /path?query
	Absolute                    // http://host/path?query
	Authority                   // host:port, of CONNECT
	Asterisk                    // *, of OPTIONS
)

const maxMethod = 32 // bytes

// A Request is the head of a request. Its strings are substrings of the head that was parsed.
type Request struct {
	Method string // a token, as received
	Target string // as received
	Form   TargetForm
	Scheme string // "http" or "https" in the sender's case if Form is Absolute, else ""

	// Host is the authority of a target in Absolute or Authority form, else the value of Host: a valid
	// uri-host [":" port] in the sender's case. It is "" only in an HTTP/1.0 request without Host.
	Host string

	// Path and Query of a target in Origin or Absolute form, as received. Path is "" if an absolute target has none,
	// which means "/", or "*" for OPTIONS (RFC 9112 §3.2.4). HasQuery tells an empty query from none.
	Path, Query string
	HasQuery    bool

	Minor  uint8   // HTTP/1.Minor: 0 or 1
	Fields []Field // in order; the slice is reused by the next Parse

	Framing Framing // NoBody, Length or Chunked
	Length  int64   // bytes of content if Framing is Length

	Close     bool   // the connection ends after this exchange
	Expect100 bool   // the client waits for 100 (Continue) before it sends content
	Upgrade   string // the value of Upgrade if Connection names it, else ""
	Trailers  bool   // the client takes trailers (TE: trailers)
}

// Parse reads a whole head: the bytes up to the index that End returned. What r held before is overwritten, and its
// Fields are reused. After an error the content of r is unspecified.
func (r *Request) Parse(head string, lim Limits) error {
	if f := r.parse(head, lim.orDefault()); f != nil {
		return &f.request
	}
	return nil
}

func (r *Request) parse(head string, lim Limits) *refusal {
	if *r = (Request{Fields: r.Fields[:0]}); r.Fields == nil {
		r.Fields = make([]Field, 0, 16)
	}
	if f := whole(head, lim); f != nil {
		return f
	}
	p, f := r.parseLine(head, emptyLine(head), lim.Line)
	if f != nil {
		return f
	}
	var g governing
	for head[p] != '\r' {
		name, value, next, f := readField(head, p, false)
		if f != nil {
			if f == errFold && len(r.Fields) == 0 {
				f = errLeadingSpace
			}
			return f
		}
		if len(r.Fields) == lim.Fields {
			return errFields
		}
		r.Fields = append(r.Fields, Field{name, value})
		if mayGovern(name) {
			if f := g.inRequest(name, value); f != nil {
				return f
			}
		}
		p = next
	}
	if f := atEnd(head, p); f != nil {
		return f
	}
	if f := r.frame(&g); f != nil {
		return f
	}
	return r.locate(&g)
}

// atEnd checks that the line at p of head is empty and the last one.
func atEnd(head string, p int) *refusal {
	switch {
	case head[p+1] != '\n':
		return errBareCR
	case p+2 != len(head):
		return errAfterHead
	}
	return nil
}

// parseLine reads the request line at p of head and returns where the next line starts.
func (r *Request) parseLine(head string, p, most int) (next int, f *refusal) {
	i := tokenEnd(head, p)
	if head[i] != ' ' || i == p {
		return 0, methodFault(head, p, i)
	}
	if i-p > maxMethod {
		return 0, errMethodLong
	}
	r.Method = head[p:i]
	t := i + 1
	i = targetEnd(head, t)
	if i+len(" HTTP/1.1")-p > most {
		return 0, errLineLong
	}
	if head[i] != ' ' || i == t {
		return 0, targetFault(head, i, t)
	}
	r.Target = head[t:i]
	switch rest := head[i+1:]; {
	case strings.HasPrefix(rest, "HTTP/1.1\r\n"):
		r.Minor = 1
	case strings.HasPrefix(rest, "HTTP/1.0\r\n"):
	default:
		return 0, r.versionFault(rest)
	}
	return i + len(" HTTP/1.1\r\n"), r.parseTarget()
}

// methodFault says what is wrong with the method at p of head, whose token ends at i.
func methodFault(head string, p, i int) *refusal {
	switch c := head[i]; {
	case c == '\n':
		return errBareLF
	case c == '\r' && head[i+1] != '\n':
		return errBareCR
	case c == '\r' && i == p:
		return errEmptyLine
	}
	return errMethod
}

// targetFault says what is wrong with the target at t of head, whose valid characters end at i.
func targetFault(head string, i, t int) *refusal {
	switch c := head[i]; {
	case c == '\n':
		return errBareLF
	case c == '\r' && head[i+1] != '\n':
		return errBareCR
	case c == '\r' && i > t:
		return errVersionNone // HTTP/0.9
	case c == '#':
		return errFragment
	}
	return errTarget
}

// versionFault says what is wrong with the version at the start of rest.
func (r *Request) versionFault(rest string) *refusal {
	line, _, _ := strings.Cut(rest, "\n")
	line, crlf := strings.CutSuffix(line, "\r")
	if strings.IndexByte(line, '\r') >= 0 {
		return errBareCR
	}
	if !crlf {
		return errBareLF
	}
	if len(line) == len("HTTP/1.1") && line[:5] == "HTTP/" && line[6] == '.' && line[5]-'0' < 10 && line[7]-'0' < 10 {
		return errVersionNew
	}
	named := strings.Contains(strings.ToLower(line), "http/") // if only behind a space in the target
	if line == "" || named || r.Method == "PROXY" {           // whose client speaks HTTP, and shows what is wrong
		return errVersion
	}
	return errForeign
}

// parseTarget takes the target apart (RFC 9112 §3.2).
func (r *Request) parseTarget() *refusal {
	t := r.Target
	switch {
	case r.Method == "CONNECT":
		r.Form = Authority
		if _, port, ok := splitHost(t); !ok || port == "" {
			return errForm
		}
		r.Host = t
		return nil
	case t[0] == '/':
		r.Form = Origin
	case t == "*" && r.Method == "OPTIONS":
		r.Form = Asterisk
		return nil
	default:
		scheme, rest, ok := strings.Cut(t, "://")
		if !ok || !ValidToken(scheme) {
			return errForm
		}
		if !EqualFold(scheme, "http") && !EqualFold(scheme, "https") {
			return errScheme
		}
		r.Form, r.Scheme, r.Host = Absolute, scheme, rest
		t = ""
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			r.Host, t = rest[:i], rest[i:]
		}
		if _, _, ok := splitHost(r.Host); !ok {
			return errHost
		}
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(t, "?")
	return nil
}

// frame decides how the end of the content is found (RFC 9112 §6.3) and what becomes of the connection (§9.3).
func (r *Request) frame(g *governing) *refusal {
	switch {
	case g.chunked && r.Minor == 0:
		return errTE10
	case g.chunked && g.lengths > 0:
		return errLengthAndTE
	case r.Form == Authority && (g.chunked || g.lengths > 0):
		return errConnectBody
	case g.chunked:
		r.Framing = Chunked
	case g.lengths > 0:
		r.Framing, r.Length = Length, g.length
	}
	r.Close = g.closes(r.Minor)
	r.Trailers = g.trailers
	if r.Minor == 1 { // RFC 9110 §7.8 and §10.1.1: ignored in HTTP/1.0
		r.Expect100 = g.expect100 && (r.Framing == Chunked || r.Length > 0)
		if g.options.upgrade {
			r.Upgrade = g.upgrade
		}
	}
	return nil
}

// locate decides which host the request is for (RFC 9112 §3.2 and §3.3).
func (r *Request) locate(g *governing) *refusal {
	if g.hosts == 0 {
		if r.Minor == 1 {
			return errHostNone
		}
		return nil
	}
	host, port, ok := splitHost(g.host)
	if !ok {
		return errHost
	}
	switch r.Form {
	case Absolute:
		absent := "80"
		if len(r.Scheme) == len("https") {
			absent = "443"
		}
		if !sameHost(r.Host, g.host, absent) {
			return errHostDiffers
		}
	case Authority:
		targetHost, targetPort, _ := splitHost(r.Host)
		if !strings.EqualFold(host, targetHost) || portNumber(port, targetPort) != portNumber(targetPort, "") {
			return errHostDiffers
		}
	default:
		r.Host = g.host
	}
	return nil
}
