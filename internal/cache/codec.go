package cache

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
)

// What is written of an entry to the disk, beside its body, is its form's version, its kind, its target, and then of a marker
//
//	generation, names
//
// and of a response
//
//	generation, variant, status, fields, metadata, when its fetch began
//
// Numbers are varints, texts have their length before them, lists their number. A form of another version is not read: what was written by
// it is fetched anew.
const (
	formVersion = 1

	formMarker   = 1
	formResponse = 2
	formCopy     = 3 // a response that is a survival copy

	// mostFields bounds the fields of a response that is read.
	mostFields = 1000
)

var errForm = errors.New("not the form of a stored response")

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendTexts(dst []byte, list []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, s := range list {
		dst = appendText(dst, s)
	}
	return dst
}

func appendFlags(dst []byte, flags ...bool) []byte {
	var b byte
	for i, set := range flags {
		if set {
			b |= 1 << i
		}
	}
	return append(dst, b)
}

// appendTime writes nanoseconds since 1970, after a byte that is 0 for no time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return binary.AppendVarint(append(dst, 1), t.UnixNano())
}

// append writes a target so that no other begins in the same way.
func (t *target) append(dst []byte) []byte {
	for _, s := range [...]string{t.zone, t.scheme, t.host, t.path, t.query, t.port, t.dimensions} {
		dst = appendText(dst, s)
	}
	return appendFlags(dst, t.hasQuery)
}

// AppendMeta implements [store.Item].
func (e *entry) AppendMeta(dst []byte) []byte {
	kind := byte(formResponse)
	switch {
	case e.marker != nil:
		kind = formMarker
	case e.survival:
		kind = formCopy
	}
	dst = e.target.append(append(dst, formVersion, kind))
	if m := e.marker; m != nil {
		return appendTexts(binary.AppendUvarint(dst, m.generation), m.vary)
	}
	dst = binary.AppendUvarint(dst, e.generation)
	dst = appendText(dst, e.variant)
	dst = binary.AppendUvarint(dst, uint64(e.message.Status))
	fields := e.originFields()
	dst = binary.AppendUvarint(dst, uint64(len(fields)))
	for _, f := range fields {
		dst = appendText(appendText(dst, f.Name), f.Value)
	}
	return binary.AppendVarint(appendMetadata(dst, &e.meta), e.begun)
}

// Content implements [store.Item].
func (e *entry) Content() []byte { return e.message.Body }

func appendMetadata(dst []byte, m *httpcache.Metadata) []byte {
	dst = binary.AppendUvarint(dst, uint64(m.Status))
	for _, t := range [...]time.Time{m.Date, m.ResponseTime, m.LastModified} {
		dst = appendTime(dst, t)
	}
	dst = appendText(dst, m.ETag)
	for _, d := range [...]time.Duration{m.InitialAge, m.Lifetime, m.StaleWhileRevalidate, m.StaleIfError} {
		dst = binary.AppendUvarint(dst, uint64(d))
	}
	dst = appendTexts(appendFlags(dst, m.NoCache, m.MustRevalidate, m.Immutable, m.SharedDate), m.Vary)
	return appendTexts(dst, m.Withheld)
}

// parser takes a form apart. After the first thing that is not as it should be, all it returns is zero.
type parser struct {
	rest   string
	broken bool
}

func (p *parser) fail() {
	p.rest, p.broken = "", true
}

func (p *parser) byte() (b byte) {
	if p.rest == "" {
		p.fail()
		return 0
	}
	b, p.rest = p.rest[0], p.rest[1:]
	return b
}

// uvarint reads a number up to most.
func (p *parser) uvarint(most uint64) uint64 {
	if p.rest != "" && p.rest[0] < 0x80 && uint64(p.rest[0]) <= most { // as most are
		return uint64(p.byte())
	}
	var buf [binary.MaxVarintLen64]byte
	n, size := binary.Uvarint(buf[:copy(buf[:], p.rest)])
	if size <= 0 || n > most || size > 1 && buf[size-1] == 0 { // only the shortest form
		p.fail()
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *parser) text() (s string) {
	n := p.uvarint(uint64(len(p.rest)))
	if n > uint64(len(p.rest)) { // the length itself took some
		p.fail()
		return ""
	}
	s, p.rest = p.rest[:n], p.rest[n:]
	return s
}

// names reads a list as short as that of a marker.
func (p *parser) names() (list []string) {
	for range p.uvarint(maxVaryNames) {
		list = append(list, p.text())
	}
	return list
}

func (p *parser) flags(n int) (set [4]bool) {
	b := p.byte()
	if b >= 1<<n {
		p.fail()
	}
	for i := range n {
		set[i] = b&(1<<i) != 0
	}
	return set
}

func (p *parser) time() time.Time {
	if !p.flags(1)[0] {
		return time.Time{}
	}
	return time.Unix(0, p.varint()).UTC()
}

// varint reads a number that may be negative.
func (p *parser) varint() int64 {
	u := p.uvarint(1<<64 - 1) // zigzag, as binary.AppendVarint writes
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

func (p *parser) duration() time.Duration {
	return time.Duration(p.uvarint((1 << 31) * uint64(time.Second)))
}

func (p *parser) target() (t target) {
	for _, s := range [...]*string{&t.zone, &t.scheme, &t.host, &t.path, &t.query, &t.port, &t.dimensions} {
		*s = p.text()
	}
	t.hasQuery = p.flags(1)[0]
	return t
}

func (p *parser) metadata() (m httpcache.Metadata) {
	m.Status = int(p.uvarint(999))
	for _, t := range [...]*time.Time{&m.Date, &m.ResponseTime, &m.LastModified} {
		*t = p.time()
	}
	m.ETag = p.text()
	for _, d := range [...]*time.Duration{&m.InitialAge, &m.Lifetime, &m.StaleWhileRevalidate, &m.StaleIfError} {
		*d = p.duration()
	}
	flags := p.flags(4)
	m.NoCache, m.MustRevalidate, m.Immutable, m.SharedDate = flags[0], flags[1], flags[2], flags[3]
	m.Vary, m.Withheld = p.names(), p.names()
	return m
}

// parseEntry reads what AppendMeta wrote. A response is still without its body. Its texts are parts of one, which is little more than they are.
func parseEntry(form []byte) (*entry, error) {
	p := parser{rest: string(form)}
	version, kind := p.byte(), p.byte()
	if version != formVersion || kind < formMarker || kind > formCopy {
		return nil, errForm
	}
	t := p.target()
	var e *entry
	if generation := p.uvarint(1<<64 - 1); kind == formMarker {
		names := p.names()
		if len(names) == 0 || !slices.IsSorted(names) {
			p.fail()
		}
		e = newMarker(t, names, generation)
	} else {
		e = p.response(t, generation)
		e.survival = kind == formCopy
	}
	if p.broken || p.rest != "" {
		return nil, errForm
	}
	return e, nil
}

func (p *parser) response(t target, generation uint64) *entry {
	variant := p.text()
	status := int(p.uvarint(999))
	n := p.uvarint(mostFields)
	fields := make([]flow.Field, n, n+1) // an entry with coded forms has one more
	for i := range fields {
		fields[i] = flow.Field{Name: p.text(), Value: p.text()}
	}
	meta := p.metadata()
	e := entryOf(t, &meta, status, fields, p.varint())
	e.variant, e.generation = variant, generation
	return e
}
