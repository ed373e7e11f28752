package httpcache

import (
	"slices"
	"testing"
	"time"
)

func TestParseContentRange(t *testing.T) {
	tests := []struct {
		name     string
		response []Field
		want     Part
		ok       bool
	}{
		{"9110 §14.4 a range of a known length", fields("Content-Range: bytes 4-9/10"), Part{4, 6, 10}, true},
		{"9110 §14.1 units in any case", fields("Content-Range: Bytes 0-0/1"), Part{0, 1, 1}, true},
		{"9110 §14.4 last before first is invalid", fields("Content-Range: bytes 4-3/10"), Part{}, false},
		{"9110 §14.4 last beyond the length is invalid", fields("Content-Range: bytes 4-10/10"), Part{}, false},
		{"9111 §3.3 other units are not understood", fields("Content-Range: lines 4-9/10"), Part{}, false},
		{"unknown length", fields("Content-Range: bytes 4-9/*"), Part{}, false},
		{"unsatisfied", fields("Content-Range: bytes */10"), Part{}, false},
		{"none", nil, Part{}, false},
		{"two", fields("Content-Range: bytes 4-9/10", "Content-Range: bytes 4-9/10"), Part{}, false},
		{"signs", fields("Content-Range: bytes +4-9/10"), Part{}, false},
		{"more numbers than there are", fields("Content-Range: bytes 0-9/99999999999999999999"), Part{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := ParseContentRange(tt.response); got != tt.want || ok != tt.ok {
				t.Errorf("got %v, %v, want %v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// FuzzContentRange: what is read lies within its representation, and reads the same once written anew.
func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 4-9/10", "bytes */10", "bytes 9223372036854775807-9223372036854775807/1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p, ok := ParseContentRange([]Field{{"Content-Range", value}})
		if !ok {
			return
		}
		if p.First < 0 || p.Length < 1 || p.First > p.Total-p.Length {
			t.Fatalf("%q: got %v", value, p)
		}
		again := p.String()
		if q, ok := ParseContentRange([]Field{{"Content-Range", again}}); !ok || q != p {
			t.Fatalf("%q: got %v, and %v from %q", value, p, q, again)
		}
	})
}

func TestCombines(t *testing.T) {
	old, young := t0.Add(-time.Hour), t0.Add(-time.Second)
	tests := []struct {
		name string
		a, b Metadata
		want bool
	}{
		{"9111 §3.4 the same strong entity-tag", Metadata{ETag: `"a"`}, Metadata{ETag: `"a"`}, true},
		{"9111 §3.4 the same weak entity-tag", Metadata{ETag: `W/"a"`}, Metadata{ETag: `W/"a"`}, false},
		{"9111 §3.4 another entity-tag", Metadata{ETag: `"a"`}, Metadata{ETag: `"b"`}, false},
		{"9111 §3.4 no validator", Metadata{}, Metadata{}, false},
		{"9110 §8.8.2.2 the same Last-Modified, long ago", Metadata{LastModified: old, Date: t0}, Metadata{LastModified: old, Date: t0}, true},
		{"9110 §8.8.2.2 the same Last-Modified, just now", Metadata{LastModified: young, Date: t0}, Metadata{LastModified: young, Date: t0}, false},
		{"9111 §3.4 one has an entity-tag beside", Metadata{LastModified: old, Date: t0}, Metadata{LastModified: old, Date: t0, ETag: `"a"`}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.a.Combines(&tt.b); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if got := tt.b.Combines(&tt.a); got != tt.want {
				t.Errorf("the other way round: got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestConfirmedBy(t *testing.T) {
	m := Metadata{ETag: `"a"`, LastModified: t0.Add(-time.Hour), ResponseTime: t0}
	modified := "Last-Modified: " + at(-time.Hour)
	tests := []struct {
		name string
		head []Field
		want bool
	}{
		{"9111 §4.3.5 all as stored", fields(`ETag: "a"`, modified, "Content-Length: 5"), true},
		{"9111 §4.3.5 one validator came", fields(`ETag: "a"`), true},
		{"9111 §4.3.5 the other came", fields(modified), true},
		{"9111 §4.3.5 another entity-tag", fields(`ETag: "b"`, modified), false},
		{"9111 §4.3.5 a weak entity-tag is another value", fields(`ETag: W/"a"`), false},
		{"9111 §4.3.5 another Last-Modified", fields(`ETag: "a"`, "Last-Modified: "+at(0)), false},
		{"9111 §4.3.5 another length", fields(`ETag: "a"`, "Content-Length: 6"), false},
		{"broken entity-tag", fields(`ETag: a`), false},
		{"broken date", fields(`ETag: "a"`, "Last-Modified: x"), false},
		{"two lengths", fields(`ETag: "a"`, "Content-Length: 5", "Content-Length: 5"), false},
		{"no validator", fields("Content-Length: 5"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := m.ConfirmedBy(&Response{Status: 200, Fields: tt.head}, 5); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestParseRanges(t *testing.T) {
	const size = 100
	tests := []struct {
		name  string
		value string
		parts []Part
		want  RangeOutcome
	}{
		{"one", "bytes=0-4", []Part{{0, 5, size}}, RangeSatisfiable},
		{"9110 §14.1.2 two", "bytes=0-4,90-", []Part{{0, 5, size}, {90, 10, size}}, RangeSatisfiable},
		{"9110 §14.2 in the order that was asked for", "bytes=90-, 0-4", []Part{{90, 10, size}, {0, 5, size}}, RangeSatisfiable},
		{"9110 §5.6.1 empty elements", "bytes=0-4,,-1", []Part{{0, 5, size}, {99, 1, size}}, RangeSatisfiable},
		{"9110 §14.2 those that can be satisfied", "bytes=0-4,200-", []Part{{0, 5, size}}, RangeSatisfiable},
		{"9110 §15.5.17 none can be", "bytes=200-,-0", nil, RangeUnsatisfiable},
		{"9110 §14.2 overlapping", "bytes=0-4,4-9", nil, RangeIgnored},
		{"9110 §14.2 all of it twice", "bytes=0-,0-", nil, RangeIgnored},
		{"9110 §14.2 one is broken", "bytes=0-4,x", nil, RangeIgnored},
		{"as many as may be", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", []Part{
			{0, 1, size}, {2, 1, size}, {4, 1, size}, {6, 1, size}, {8, 1, size}, {10, 1, size}, {12, 1, size}, {14, 1, size},
		}, RangeSatisfiable},
		{"9110 §14.2 too many", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", nil, RangeIgnored},
		{"nothing", "bytes=", nil, RangeIgnored},
		{"no equals sign", "bytes", nil, RangeIgnored},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parts, got := ParseRanges(tt.value, size)
			if got != tt.want || !slices.Equal(parts, tt.parts) {
				t.Errorf("got %v (%v), want %v (%v)", parts, got, tt.parts, tt.want)
			}
		})
	}
}

// FuzzParseRanges: no more parts than may be, within the content, and together no more than the content.
func FuzzParseRanges(f *testing.F) {
	for _, s := range []string{"bytes=0-1,3-4", "bytes=-1,0-", "bytes=,,", "bytes=99999999999999999999-,0-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		parts, o := ParseRanges(value, size)
		if (o == RangeSatisfiable) != (len(parts) > 0) || len(parts) > maxParts {
			t.Fatalf("%q: got %v with %v", value, parts, o)
		}
		left := size
		for _, p := range parts {
			if left -= p.Length; p.First < 0 || p.Length < 1 || p.First > size-p.Length || left < 0 {
				t.Fatalf("%q of %d: got %v", value, size, parts)
			}
		}
	})
}
