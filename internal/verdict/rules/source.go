package rules

import (
	"crypto/rand"
	"crypto/tls"
	"slices"
	"strings"

	"github.com/seawall/seawall/hfp"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/ja4"
	"github.com/seawall/seawall/rules"
)

// source answers for one flow's fields. What it makes of a flow is kept until the next: expressions refer to it.
type source struct {
	fields []field

	flow    *flow.Flow
	request *flow.Request // as it is by now: transforms have changed it
	message *flow.Message // the response, or nil
	body    *peeked       // the request's, once it is judged, or nil

	headers, responded                     multimap
	arguments, rawArguments, cookies, form multimap
	made                                   [4][]flow.Field // what the latter four consist of
	languages                              texts
	parts                                  *multipart // what the body consists of, once it was asked for
}

// multimap is what expressions see of a list of names and values.
type multimap struct{ all, names, values pairs }

// see returns a multimap of fields, whose memory is the caller's.
func (m *multimap) see(of []flow.Field, fold bool) *multimap {
	*m = multimap{pairs{of, both, fold}, pairs{of, names, fold}, pairs{of, values, fold}}
	return m
}

func (m *multimap) whole() rules.Value    { return rules.ItemsValue(multimapType(), &m.all) }
func (m *multimap) namesOf() rules.Value  { return rules.ItemsValue(arrayType(), &m.names) }
func (m *multimap) valuesOf() rules.Value { return rules.ItemsValue(arrayType(), &m.values) }

// reset begins with another flow, or with what rules have made of this one.
func (s *source) reset(f *flow.Flow) {
	s.forget()
	s.flow, s.request = f, f.Effective()
}

// forget keeps nothing of a flow.
func (s *source) forget() {
	s.flow, s.request, s.message, s.body, s.parts = nil, nil, nil, nil, nil
	s.headers, s.responded, s.arguments, s.rawArguments, s.cookies, s.form = multimap{}, multimap{}, multimap{}, multimap{}, multimap{}, multimap{}
	for i := range s.made {
		clear(s.made[i])
		s.made[i] = s.made[i][:0]
	}
	clear(s.languages.of)
	s.languages.of = s.languages.of[:0]
}

// Value implements [rules.Source].
func (s *source) Value(i int) rules.Value { return s.fields[i].value(s) }

func (s *source) headerMap() *multimap { return s.headers.see(s.request.Fields, true) }

func (s *source) responseMap() *multimap {
	if s.message == nil {
		return s.responded.see(nil, true)
	}
	return s.responded.see(s.message.Fields, true)
}

func (s *source) argumentMap() *multimap {
	if s.arguments.all.of == nil {
		s.made[0] = arguments(s.made[0], s.request.Query)
		s.arguments.see(s.made[0], false)
	}
	return &s.arguments
}

func (s *source) rawArgumentMap() *multimap {
	if s.rawArguments.all.of == nil {
		s.made[1] = arguments(s.made[1], s.flow.Request.Query)
		s.rawArguments.see(s.made[1], false)
	}
	return &s.rawArguments
}

func (s *source) cookieMap() *multimap {
	if s.cookies.all.of == nil {
		s.made[2] = cookies(s.made[2], s.request.Fields)
		s.cookies.see(s.made[2], false)
	}
	return &s.cookies
}

// header is a field's first value; one that a request has not is empty.
func (s *source) header(name string) rules.Value { return rules.BytesValue(s.request.Get(name)) }

// uri is a path with its query.
func uri(path, query string, hasQuery bool) string {
	if !hasQuery {
		return path
	}
	return path + "?" + query
}

// split is a request target's path and query (RFC 9112 §3.2). That of the absolute form has a scheme and an authority before it.
func split(target string) (path, query string) {
	if !strings.HasPrefix(target, "/") {
		if _, rest, ok := strings.Cut(target, "://"); ok {
			slash := strings.IndexAny(rest, "/?")
			if slash < 0 {
				return "/", ""
			}
			target = rest[slash:]
		}
	}
	path, query, _ = strings.Cut(target, "?")
	return path, query
}

// extension is what follows the last dot of a path's last segment, in lower case; nothing for a name that begins with its only dot.
func extension(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 {
		return ""
	}
	return strings.ToLower(name[dot+1:])
}

// acceptedLanguages are the tags of Accept-Language, the one that is preferred first (RFC 9110 §12.5.4).
func (s *source) acceptedLanguages() rules.Value {
	type weighted struct {
		tag    string
		weight string
	}
	var wanted []weighted
	for _, item := range strings.SplitN(s.request.Get("accept-language"), ",", 33) {
		tag, parameters, _ := strings.Cut(strings.TrimSpace(item), ";")
		w := weighted{strings.TrimSpace(tag), "1"}
		if _, q, ok := strings.Cut(parameters, "q="); ok {
			w.weight = strings.TrimSpace(q)
		}
		if w.tag != "" && w.tag != "*" && len(wanted) < 32 {
			wanted = append(wanted, w)
		}
	}
	slices.SortStableFunc(wanted, func(a, b weighted) int { return strings.Compare(b.weight, a.weight) }) // "1" and "0.8" sort as text
	for _, w := range wanted {
		s.languages.of = append(s.languages.of, w.tag)
	}
	return rules.ItemsValue(rules.ArrayOf(rules.Bytes), &s.languages)
}

func tlsVersion(s *source) rules.Value {
	switch t := s.flow.Conn.TLS; {
	case t == nil:
		return rules.BytesValue("")
	case t.Version == tls.VersionTLS13:
		return rules.BytesValue("TLSv1.3")
	}
	return rules.BytesValue("TLSv1.2")
}

func tlsCipher(s *source) rules.Value {
	t := s.flow.Conn.TLS
	if t == nil {
		return rules.BytesValue("")
	}
	return rules.BytesValue(tls.CipherSuiteName(t.Cipher))
}

func tlsJA4(s *source) rules.Value {
	if t := s.flow.Conn.TLS; t != nil && t.JA4 != (ja4.Fingerprint{}) {
		return rules.BytesValue(t.JA4.String())
	}
	return rules.BytesValue("")
}

func httpFingerprint(s *source) rules.Value {
	if s.flow.Request.Fingerprint == (hfp.Fingerprint{}) {
		return rules.BytesValue("")
	}
	return rules.BytesValue(s.flow.Request.Fingerprint.String())
}

// randomSeed is 16 bytes that nobody can foresee.
func randomSeed(*source) rules.Value {
	var seed [16]byte
	_, _ = rand.Read(seed[:]) // which never fails
	return rules.BytesValue(string(seed[:]))
}
