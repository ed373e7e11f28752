package h1

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// A Response is the head of a response. Its strings are substrings of the head that was parsed, unless that had a
// folded field line.
type Response struct {
	Minor  uint8   // HTTP/1.Minor: 0 or 1
	Status int     // 100 to 999
	Reason string  // may be ""
	Fields []Field // in order; the slice is reused by the next Parse

	Framing Framing
	Length  int64 // bytes of content if Framing is Length

	// Coded says that content has another transfer coding than chunked (gzip, say), which Decoder does not undo.
	// An origin may apply one only when TE asked for it (RFC 9112 §7.4).
	Coded bool

	Close   bool   // the connection ends after this exchange
	Upgrade string // the value of Upgrade if Connection names it, else ""
}

// Parse reads a whole head: the bytes up to the index that End returned. method is that of the request, since a
// response to HEAD has no content and one to CONNECT opens a tunnel. What r held before is overwritten, and its Fields
// are reused. After an error, whose Status is always 502, the content of r is unspecified.
//
// A proxy must or may repair some faults of origins (RFC 9112); of these Parse repairs, in Fields too,
//   - a folded field line: a space takes the place of the fold (§5.2);
//   - whitespace before the colon: removed (§5.1);
//   - Content-Length repeated with one value: one is kept (§6.3);
//   - Content-Length with Transfer-Encoding: dropped, and Close is set (§6.3);
//   - either in a response that has no content whatever they say (1xx, 204, 2xx to CONNECT): dropped (§6.1,
//     RFC 9110 §8.6), and Close is set if they announce content.
//
// A missing reason phrase, with or without the space before it, is accepted (§4).
func (r *Response) Parse(head, method string, lim Limits) error {
	lim = lim.orDefault()
	f := r.parse(head, method, lim)
	if f == errFold {
		f = r.parse(unfold(head), method, lim)
	}
	if f != nil {
		return &f.response
	}
	return nil
}

func (r *Response) parse(head, method string, lim Limits) *refusal {
	if *r = (Response{Fields: r.Fields[:0]}); r.Fields == nil {
		r.Fields = make([]Field, 0, 16)
	}
	if f := whole(head, lim); f != nil {
		return f
	}
	p, f := r.parseLine(head, lim.Line)
	if f != nil {
		return f
	}
	var g governing
	for head[p] != '\r' {
		name, value, next, f := readField(head, p, true)
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
		if f := g.inResponse(name, value); f != nil {
			return f
		}
		p = next
	}
	if f := atEnd(head, p); f != nil {
		return f
	}
	return r.frame(&g, method)
}

// parseLine reads the status line (RFC 9112 §4) and returns where the next line starts.
func (r *Response) parseLine(head string, most int) (next int, f *refusal) {
	const status = len("HTTP/1.1 ")
	if len(head) < status+len("200\r\n") || head[:7] != "HTTP/1." || head[8] != ' ' {
		return 0, statusFault(head)
	}
	switch head[7] {
	case '0':
	case '1':
		r.Minor = 1
	default:
		return 0, statusFault(head)
	}
	n, ok := parseLength(head[status : status+3])
	if !ok || n < 100 {
		return 0, errStatusLine
	}
	r.Status = int(n)
	p := status + 3
	end := valueEnd(head, p)
	switch {
	case head[end] == '\n':
		return 0, errBareLF
	case head[end] == '\r' && head[end+1] != '\n':
		return 0, errBareCR
	case head[end] != '\r' || end > p && head[p] != ' ':
		return 0, errStatusLine
	case end > most:
		return 0, errLineLong
	}
	r.Reason = trimSpace(head[p:end])
	return end + 2, nil
}

// statusFault says what is wrong with a status line that does not begin with a known version.
func statusFault(head string) *refusal {
	if strings.HasPrefix(head, "HTTP/") && len(head) > 8 && head[8] == ' ' {
		return errVersionNew
	}
	return errStatusLine
}

// frame decides how the end of the content is found (RFC 9112 §6.3) and what becomes of the connection (§9.3).
func (r *Response) frame(g *governing, method string) *refusal {
	te := &g.codings
	if te.any && r.Minor == 0 {
		return errTE10
	}
	tunnel := method == "CONNECT" && r.Status/100 == 2
	none := r.Status < 200 || r.Status == 204 || tunnel // no content, and no field that says otherwise
	r.Close = g.closes(r.Minor)
	if g.options.upgrade {
		r.Upgrade = g.upgrade
	}
	switch {
	case none || r.Status == 304 || method == "HEAD":
	case te.final:
		r.Framing = Chunked
	case te.any || g.lengths == 0:
		r.Framing, r.Close = UntilClose, true
	default:
		r.Framing, r.Length = Length, g.length
	}
	r.Coded = r.Framing != NoBody && (te.coded || te.chunked && !te.final)
	if te.any && g.lengths > 0 || none && (te.any || g.length > 0) {
		r.Close = true
	}
	if none {
		r.drop("transfer-encoding")
	}
	if none || te.any {
		r.drop("content-length")
	} else if g.lengths > 1 {
		r.collapse("content-length", strconv.FormatInt(g.length, 10))
	}
	return nil
}

// drop removes the fields of that name.
func (r *Response) drop(lower string) {
	r.Fields = slices.DeleteFunc(r.Fields, func(f Field) bool { return EqualFold(f.Name, lower) })
}

// collapse removes all fields of that name but one, whose value becomes v.
func (r *Response) collapse(lower, v string) {
	i := slices.IndexFunc(r.Fields, func(f Field) bool { return EqualFold(f.Name, lower) })
	kept := Field{r.Fields[i].Name, v}
	r.drop(lower)
	r.Fields = slices.Insert(r.Fields, i, kept)
}

// unfold replaces every line end that whitespace follows, and the whitespace around it, by one space
// (obs-fold, RFC 9112 §5.2).
func unfold(head string) string {
	b := make([]byte, 0, len(head))
	for head != "" {
		line, rest, _ := strings.Cut(head, "\r\n")
		b = append(b, line...)
		head = strings.TrimLeft(rest, " \t")
		if len(head) == len(rest) {
			b = append(b, "\r\n"...)
			continue
		}
		b = append(bytes.TrimRight(b, " \t"), ' ')
	}
	return string(b)
}
