package drill

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/seawall/seawall/internal/drill/scenario"
	"github.com/seawall/seawall/internal/drill/site"
	"github.com/seawall/seawall/internal/drill/wire"
)

// The cookie that the script of the site's pages sets.
const consentName, consentValue = "consent", "1"

// A phrase is text with places for what is drawn: a path, a body or a field's value of a scenario's request.
type phrase []piece

// piece is a text, or the name of what is drawn.
type piece struct{ text, drawn string }

// parsePhrase reads {words}, {article} and so on. Other braces, as those of JSON, are text.
func parsePhrase(s string) phrase {
	var p phrase
	for s != "" {
		at, name := nextPlace(s)
		if at < 0 {
			return append(p, piece{text: s})
		}
		if at > 0 {
			p = append(p, piece{text: s[:at]})
		}
		p = append(p, piece{drawn: name})
		s = s[at+len(name)+2:]
	}
	return p
}

// nextPlace finds the first place in s; -1 if there is none.
func nextPlace(s string) (at int, name string) {
	at = -1
	for _, p := range scenario.Placeholders() {
		if i := strings.Index(s, p); i >= 0 && (at < 0 || i < at) {
			at, name = i, strings.Trim(p, "{}")
		}
	}
	return at, name
}

// constant reports whether nothing of p is drawn.
func (p phrase) constant() bool {
	for _, x := range p {
		if x.drawn != "" {
			return false
		}
	}
	return true
}

// append writes p to b, drawing what is to be drawn from where visitors draw theirs.
func (p phrase) append(b []byte, rng *rand.Rand, c *site.Content) []byte {
	for _, x := range p {
		switch x.drawn {
		case "":
			b = append(b, x.text...)
		case "words":
			for i, w := range c.Words.Draw(rng, 1+rng.IntN(3)) {
				if i > 0 {
					b = append(b, '+')
				}
				b = append(b, w...)
			}
		case "article":
			b = append(b, c.Articles[rng.IntN(len(c.Articles))].Path...)
		case "number":
			b = strconv.AppendInt(b, rng.Int64N(1e9), 10)
		case "random":
			b = strconv.AppendUint(b, rng.Uint64(), 36)
		case "user":
			b = fmt.Appendf(b, "%s%03d", c.Words.Draw(rng, 1)[0], rng.IntN(1000))
		case "password":
			b = fmt.Appendf(b, "%08x", rng.Uint32())
		}
	}
	return b
}

// template is a request of a scenario, and how it looks from each client over HTTP/1.1.
type template struct {
	method     string
	path, body phrase
	fields     []templateField
	fixed      bool                        // but for its path
	rendered   []atomic.Pointer[rendering] // by look
}

type templateField struct {
	name  string
	value phrase
}

// rendering is a fixed request, cut where its target goes.
type rendering struct{ before, after []byte }

func newTemplate(r scenario.Request, looks int) *template {
	t := &template{
		method: r.Method, path: parsePhrase(r.Path), body: parsePhrase(r.Body),
		rendered: make([]atomic.Pointer[rendering], looks),
	}
	if t.method == "" {
		t.method = http.MethodGet
	}
	t.fixed = t.method != http.MethodPost
	for _, f := range r.Fields {
		v := parsePhrase(f.Value)
		t.fixed = t.fixed && v.constant()
		t.fields = append(t.fields, templateField{f.Name, v})
	}
	return t
}

// request draws what t sends beside its path. A browser sends a form from a page that has it, whose
// script has set its cookie.
func (t *template) request(path string, l *look, to wire.Target, rng *rand.Rand, c *site.Content) wire.Request {
	q := wire.Request{Method: t.method, Path: path}
	for _, f := range t.fields {
		q.Fields = append(q.Fields, wire.Field{Name: f.name, Value: string(f.value.append(nil, rng, c))})
	}
	if t.method == http.MethodPost {
		q.Body = t.body.append([]byte{}, rng, c)
		q.Fields = typed(q.Fields)
		if l.Scripts {
			q.Fields = lacking(q.Fields, "Referer", to.Origin()+formFor(path, rng, c))
			q.Fields = lacking(q.Fields, "Cookie", consentName+"="+consentValue)
		}
	}
	return q
}

// typed is the fields of a request with a body, which is a form unless they say otherwise.
func typed(fields []wire.Field) []wire.Field {
	return lacking(fields, "Content-Type", "application/x-www-form-urlencoded")
}

// lacking is fields with another, if they have none of that name.
func lacking(fields []wire.Field, name, value string) []wire.Field {
	for _, f := range fields {
		if strings.EqualFold(f.Name, name) {
			return fields
		}
	}
	return append(fields, wire.Field{Name: name, Value: value})
}

// formFor draws a page that has the form which is sent to path.
func formFor(path string, rng *rand.Rand, c *site.Content) string {
	if path != site.SearchPath {
		return path
	}
	if rng.IntN(2) == 0 {
		return "/"
	}
	return c.Articles[rng.IntN(len(c.Articles))].Path
}

// appendHTTP1 appends t as bytes of HTTP/1.1 for a target drawn before. What differs by its path only is rendered once
// for each look.
func (t *template) appendHTTP1(b []byte, l *look, to wire.Target, path []byte, rng *rand.Rand, c *site.Content) []byte {
	if !t.fixed {
		q := t.request(string(path), l, to, rng, c)
		return append(b, l.Render(to, &q)...)
	}
	r := t.rendered[l.index].Load()
	if r == nil {
		q := t.request(string(path), l, to, rng, c)
		whole := l.Render(to, &q)
		before := len(t.method) + 1
		r = &rendering{whole[:before], whole[before+len(path):]}
		t.rendered[l.index].Store(r)
	}
	return append(append(append(b, r.before...), path...), r.after...)
}

// choice is templates by weight.
type choice struct {
	templates []*template
	upTo      []int
}

// newChoice makes the templates of an attack's requests.
func newChoice(requests []scenario.Request, looks int) *choice {
	c, sum := new(choice), 0
	for _, r := range requests {
		sum += max(r.Weight, 1)
		c.templates, c.upTo = append(c.templates, newTemplate(r, looks)), append(c.upTo, sum)
	}
	return c
}

func (c *choice) draw(rng *rand.Rand) *template {
	n := rng.IntN(c.upTo[len(c.upTo)-1])
	for i, upTo := range c.upTo {
		if n < upTo {
			return c.templates[i]
		}
	}
	return c.templates[0]
}
