package cache

import (
	"slices"
	"sync/atomic"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/cache/coding"
	"github.com/seawall/seawall/internal/cache/store"
	"github.com/seawall/seawall/internal/flow"
)

const (
	// hotHits is how many times a form is served before it is made anew with more care.
	hotHits = 100
	// formOverhead is roughly what a form takes besides its body and fields, in bytes, formsOverhead what an entry that may have some
	// takes more than others.
	formOverhead  = 448
	formsOverhead = 192
)

// forms are the coded forms of an entry's message. They are immutable once the entry is stored, but for what its copies share.
type forms struct {
	shared *shared
	list   [httpcache.NumCodings]*form // nil where there is none
	have   httpcache.CodingSet
	// own is how many fields at the end of the entry's message are ours and not the origin's.
	own int
}

// shared is what all entries with one body know of its forms: they follow each other as forms come and the origin confirms.
type shared struct {
	underway  atomic.Uint32 // the codings, as a set of bits, that somebody encodes or will encode
	worthless atomic.Uint32 // those whose forms save too little
	hits      [httpcache.NumCodings]atomic.Uint32
}

// form is an entry in a coding.
type form struct {
	level   coding.Level
	message flow.Message
	meta    httpcache.Metadata
	bytes   int64
}

// negotiate lets an entry have coded forms; e is not stored yet. With s, of an entry that has the same body, it begins with that one's.
func (e *entry) negotiate(s *forms) {
	e.forms = &forms{}
	e.bytes += formsOverhead
	e.meta.Negotiable()
	if vary, ok := httpcache.VaryField(e.message.Fields); ok {
		e.message.Fields = append(e.message.Fields, vary)
		e.forms.own = 1
		e.bytes += fieldOverhead
	}
	if s == nil {
		e.forms.shared = &shared{}
		return
	}
	e.forms.shared = s.shared
	for c, f := range s.list {
		if f != nil {
			e.addForm(httpcache.Coding(c), f.level, f.message.Body)
		}
	}
}

// addForm adds a form to an entry that is not stored yet, in place of the one that it has.
func (e *entry) addForm(c httpcache.Coding, l coding.Level, body []byte) {
	f := &form{level: l, meta: e.meta.Coded()}
	fields := httpcache.CodedFields(make([]flow.Field, 0, len(e.message.Fields)+1), e.message.Fields, c)
	f.message = flow.Message{Status: e.message.Status, Fields: fields, Length: int64(len(body)), Body: body}
	f.bytes = formOverhead + int64(len(fields))*fieldOverhead + int64(len(f.meta.ETag)+cap(body))
	e.bytes += f.bytes
	if old := e.forms.list[c]; old != nil {
		e.bytes -= old.bytes
	}
	e.forms.list[c] = f
	e.forms.have = e.forms.have.With(c)
}

// withForm is an entry like e with one form more, or another in its place.
func (e *entry) withForm(c httpcache.Coding, l coding.Level, body []byte) *entry {
	copied, own := e.clone(), *e.forms
	copied.forms = &own
	if old := own.list[c]; old != nil && len(old.message.Body) <= len(body) {
		body = old.message.Body // more care was in vain
	}
	copied.addForm(c, l, body)
	return copied
}

// originFields are the fields of an entry's message as the origin sent them.
func (e *entry) originFields() []flow.Field {
	if e.forms == nil {
		return e.message.Fields
	}
	return e.message.Fields[:len(e.message.Fields)-e.forms.own]
}

// encode puts the coded form of a complete entry that is stored under a key in the place of its message, if the client takes one and it
// is there. Otherwise it has it made, for others. It does not wait, and allocates only where it has one made. What is lent has no place for
// forms.
func (p *Policy) encode(f *flow.Flow, e *entry, k store.Key) {
	c, z := &f.Cache, &p.compression
	if e.forms == nil || e.message.Loan != nil || z.offered == 0 || !z.fits(e.message.Length) || f.Verdict.Settings.NoCompression {
		return
	}
	accept := httpcache.ParseAcceptEncoding(f.Effective().Fields)
	sh := e.forms.shared
	worth := z.offered &^ httpcache.CodingSet(sh.worthless.Load())
	want := accept.Prefer(z.order, worth)
	if want == httpcache.Identity {
		return
	}
	request := httpcache.Request{Method: f.Request.Method, Fields: f.Effective().Fields}
	if httpcache.WantsUntransformed(&request) && !accept.RefusesIdentity() {
		return
	}
	if e.forms.list[want] == nil {
		p.room.encoding.begin(wish{key: k, shared: sh, coding: want, level: coding.Fast})
		if want = accept.Prefer(z.order, worth&e.forms.have); want == httpcache.Identity {
			return
		}
	}
	form := e.forms.list[want]
	// Counting ends when it has served its purpose: what is hot is not written to by all cores.
	if hits := &sh.hits[want]; form.level < coding.Hot && (hits.Load() >= hotHits || hits.Add(1) >= hotHits) {
		p.room.encoding.begin(wish{key: k, shared: sh, coding: want, level: coding.Hot})
	}
	c.Message, c.Meta = &form.message, &form.meta
	c.Coding, c.Uncoded = want, e.message.Length
}

// addForms adds what a peer is sent of an entry's forms.
func (rec *record) addForms(e *entry) {
	if e.forms == nil {
		return
	}
	rec.Negotiable = true
	for c, f := range e.forms.list {
		if f != nil {
			rec.Forms = append(rec.Forms, recordForm{httpcache.Coding(c), f.level, f.message.Body})
		}
	}
}

// restoreForms gives a complete entry the forms that a peer has sent.
func (rec *record) restoreForms(e *entry) {
	if !rec.Negotiable {
		return
	}
	e.negotiate(nil)
	for _, f := range rec.Forms {
		if f.Coding > httpcache.Identity && f.Coding < httpcache.NumCodings && f.Level <= coding.Hot {
			e.addForm(f.Coding, f.Level, slices.Clip(f.Body))
		}
	}
}
