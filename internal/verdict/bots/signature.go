package bots

import (
	"crypto/ed25519"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/seawall/seawall/internal/flow"
)

const (
	signatureTag = "web-bot-auth"
	// maxSignature bounds the two fields of a signature, in bytes, and maxCovered what it covers.
	maxSignature = 2048
	maxCovered   = 16
	// maxAge bounds how long a signature is good for, and skew how far a signer's clock may be ahead.
	maxAge = 24 * time.Hour
	skew   = time.Minute
	// verifyEvery bounds how often a signature is verified, which takes some 60 µs of a loop's time: with burst more at once.
	verifyEvery = 5 * time.Millisecond
	verifyBurst = 50
)

// signed returns the crawler whose key has signed a request (RFC 9421, draft-meunier-web-bot-auth-architecture), nil if none has. It is
// strict: what it does not understand verifies nobody.
func (t *table) signed(q *flow.Request, budget *budget) *crawler {
	input := q.Get("signature-input")
	if input == "" || !strings.Contains(input, signatureTag) {
		return nil
	}
	signers := *t.signers.Load()
	if len(signers) == 0 {
		return nil
	}
	s, ok := parseSignature(input, q.Get("signature"))
	if !ok || !s.current(q.Received) {
		return nil
	}
	signer, ok := signers[s.keyID]
	if !ok {
		return nil
	}
	base, ok := s.base(q)
	if !ok || !budget.take(q.Received) || !ed25519.Verify(signer.key, []byte(base), s.signature) {
		return nil
	}
	return &t.crawlers[signer.crawler]
}

// signer is a key, and whose it is.
type signer struct {
	key     ed25519.PublicKey
	crawler int
}

// signature is one of a request, with the tag of crawlers.
type signature struct {
	covered          []string // names of fields, and derived components
	params           string   // as the signature base has them
	keyID            string
	created, expires int64 // Unix times
	signature        []byte
}

// parseSignature finds the first signature with the tag in the two fields.
func parseSignature(input, value string) (s signature, ok bool) {
	if len(input)+len(value) > maxSignature {
		return s, false
	}
	inputs, err := httpsfv.UnmarshalDictionary([]string{input})
	if err != nil {
		return s, false
	}
	values, err := httpsfv.UnmarshalDictionary([]string{value})
	if err != nil {
		return s, false
	}
	for _, label := range inputs.Names() {
		member, _ := inputs.Get(label)
		list, isList := member.(httpsfv.InnerList)
		if !isList || text(list.Params, "tag") != signatureTag {
			continue
		}
		member, _ = values.Get(label)
		item, isItem := member.(httpsfv.Item)
		if !isItem {
			return s, false
		}
		s.signature, ok = item.Value.([]byte)
		return s, ok && s.fill(list)
	}
	return s, false
}

// fill takes what is signed, and by whom, from a list of components with its parameters.
func (s *signature) fill(list httpsfv.InnerList) bool {
	if len(list.Items) == 0 || len(list.Items) > maxCovered {
		return false
	}
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok || len(item.Params.Names()) > 0 {
			return false
		}
		s.covered = append(s.covered, name)
	}
	if alg := text(list.Params, "alg"); alg != "" && alg != "ed25519" {
		return false
	}
	var err error
	s.params, err = httpsfv.Marshal(list)
	s.keyID = text(list.Params, "keyid")
	s.created, s.expires = number(list.Params, "created"), number(list.Params, "expires")
	return err == nil
}

func text(p *httpsfv.Params, name string) string {
	v, _ := p.Get(name)
	s, _ := v.(string)
	return s
}

func number(p *httpsfv.Params, name string) int64 {
	v, _ := p.Get(name)
	n, _ := v.(int64)
	return n
}

// current tells whether a signature is good at a time.
func (s *signature) current(now time.Time) bool {
	created, expires := time.Unix(s.created, 0), time.Unix(s.expires, 0)
	return !now.Add(skew).Before(created) && now.Before(expires) && expires.Sub(created) <= maxAge
}

// base is what was signed (RFC 9421 §2.5). It has to have the authority, and each component once.
func (s *signature) base(q *flow.Request) (string, bool) {
	var b strings.Builder
	seen := make(map[string]bool, len(s.covered))
	for _, name := range s.covered {
		value, ok := component(q, name)
		if !ok || seen[name] {
			return "", false
		}
		seen[name] = true
		b.WriteString(`"` + name + `": ` + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + s.params)
	return b.String(), seen["@authority"]
}

// component is the value of a field or of a derived component (RFC 9421 §2.1 and §2.2).
func component(q *flow.Request, name string) (string, bool) {
	path, query, _ := strings.Cut(q.Target, "?")
	switch name {
	case "@method":
		return q.Method, true
	case "@authority":
		return strings.ToLower(q.Authority), q.Authority != ""
	case "@scheme":
		return q.Scheme, true
	case "@path":
		return path, true
	case "@query":
		return "?" + query, true
	}
	if strings.HasPrefix(name, "@") || strings.ToLower(name) != name {
		return "", false
	}
	var values []string
	for i := range q.Fields {
		if flow.Named(q.Fields[i].Name, name) {
			values = append(values, strings.Trim(q.Fields[i].Value, " \t"))
		}
	}
	return strings.Join(values, ", "), len(values) > 0
}

// budget bounds how often signatures are verified (GCRA).
type budget struct{ due atomic.Int64 }

func (b *budget) take(now time.Time) bool {
	at := now.UnixNano()
	for {
		due := b.due.Load()
		next := max(due, at) + int64(verifyEvery)
		if next-at > int64(verifyEvery*verifyBurst) {
			return false
		}
		if b.due.CompareAndSwap(due, next) {
			return true
		}
	}
}
