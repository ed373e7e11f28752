package rules

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/rules"
)

// maxBody is how many bytes of a request's body rules look at, and so what is held in memory of each request that is at work.
const maxBody = 64 << 10

// ReadsBodies tells that there are rules for the bodies of requests.
func (s *Ruleset) ReadsBodies() bool { return s != nil && (s.bodies.set != nil || s.forms.set != nil) }

// JudgeContent judges the beginning of a request's body, by the rules that read it, and leaves it to be read once more. It waits for
// the client. A request that rules have spared the rest by its head is not looked at. Those who pass are counted by the rate limits that
// read the body.
func (s *Ruleset) JudgeContent(f *flow.Flow, grace Grace) {
	judged, limited := s.bodies.set != nil && !f.Verdict.Unjudged, s.forms.set != nil && !f.Verdict.Unlimited
	if !judged && !limited {
		return
	}
	body, spared := s.peek(f), Spared{rules: f.Verdict.Spared}
	j := s.judges.Get().(*judge)
	defer s.rest(j)
	if judged {
		j.begin(f)
		j.source.body = body
		if s.firewall(j, f, grace, &spared, &s.bodies) {
			return
		}
	}
	if limited && !spared.phases[RateLimit] {
		j.beginBefore(f)
		j.source.body = body
		s.limit(j, f, &s.forms, beside, spared.rules, f.Now(), grace)
	}
}

// peeked is what rules see of a body.
type peeked struct {
	text  string
	whole bool
}

// peek reads up to maxBody of a body, or until the client breaks off, and puts it before the rest.
func (s *Ruleset) peek(f *flow.Flow) *peeked {
	if f.Request.Length == 0 || f.Exchange == nil {
		return &peeked{whole: true}
	}
	buffer := make([]byte, 0, bodySize(f.Request.Length))
	var err error
	for err == nil && len(buffer) < maxBody {
		if len(buffer) == cap(buffer) {
			buffer = append(buffer, 0)[:len(buffer)]
		}
		var n int
		n, err = f.Exchange.ReadBody(buffer[len(buffer):min(cap(buffer), maxBody)])
		buffer = buffer[:len(buffer)+n]
	}
	if err == nil && f.Request.Length == int64(len(buffer)) { // the end comes with the next read
		err = io.EOF
	}
	again := &flow.Reread{Exchange: f.Exchange, Begin: buffer}
	if err != nil && !errors.Is(err, io.EOF) {
		again.Err = err
	}
	f.Exchange = again
	return &peeked{text: string(buffer), whole: errors.Is(err, io.EOF)}
}

// bodySize is the room for a body whose length is declared, or not (-1).
func bodySize(length int64) int {
	const usual = 4 << 10
	if length < 0 {
		return usual
	}
	return int(min(length, maxBody))
}

// bodyCost is what it costs to wait for a body, and to take it apart: more than all else.
const bodyCost = 1000

// bodyFields are the beginning of the request's body.
func bodyFields() []field {
	body := func(name string, t rules.Type, value func(*source) rules.Value) field {
		return field{rules.Field{Name: name, Type: t, Cost: bodyCost, Phase: rules.Body}, value}
	}
	return []field{
		body("http.request.body.raw", rules.Bytes, func(s *source) rules.Value { return rules.BytesValue(s.content().text) }),
		body("http.request.body.truncated", rules.Bool, func(s *source) rules.Value { return rules.BoolValue(!s.content().whole) }),
		body("http.request.body.size", rules.Int, bodyLength),
		body("http.request.body.mime", rules.Bytes, func(s *source) rules.Value { return rules.BytesValue(sniffed(s.content().text)) }),
		body("http.request.body.form", multimapType(), func(s *source) rules.Value { return s.formMap().whole() }),
		body("http.request.body.form.names", arrayType(), func(s *source) rules.Value { return s.formMap().namesOf() }),
		body("http.request.body.form.values", arrayType(), func(s *source) rules.Value { return s.formMap().valuesOf() }),
	}
}

// content is what is known of the body: nothing before it is judged.
func (s *source) content() *peeked {
	if s.body == nil {
		return &peeked{}
	}
	return s.body
}

// bodyLength is the body's, as declared, or else as far as it was read.
func bodyLength(s *source) rules.Value {
	if n := s.flow.Request.Length; n >= 0 {
		return rules.IntValue(n)
	}
	return rules.IntValue(int64(len(s.content().text)))
}

// sniffed is the media type that a body looks like, whatever its sender says; empty if there is none.
func sniffed(text string) string {
	switch {
	case text == "":
		return ""
	case strings.HasPrefix(text, "II*\x00"), strings.HasPrefix(text, "MM\x00*"):
		return "image/tiff" // which package http does not know
	}
	const enough = 512 // for DetectContentType
	media, _, _ := strings.Cut(http.DetectContentType([]byte(text[:min(len(text), enough)])), ";")
	return media
}

// contentType is the media type that the client declares, in lower case.
func (s *source) contentType() string {
	declared := s.request.Get("content-type")
	media, _, err := mime.ParseMediaType(declared)
	if err != nil {
		media, _, _ = strings.Cut(declared, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	return media
}

// formMap is a form's fields, not decoded, in their order; none for a body of another type.
func (s *source) formMap() *multimap {
	if s.form.all.of == nil && s.contentType() == "application/x-www-form-urlencoded" {
		s.made[3] = arguments(s.made[3], s.content().text)
		s.form.see(s.made[3], false)
	}
	return &s.form
}
