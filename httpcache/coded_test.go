package httpcache

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTransformable(t *testing.T) {
	tests := []struct {
		name   string
		status int
		fields []Field
		want   bool
	}{
		{"plain", 200, fields("Content-Type: text/html", "Cache-Control: max-age=1"), true},
		{"an error page", 404, nil, true},
		{"9110 §15.3.7 partial", 206, fields("Content-Range: bytes 0-1/2"), false},
		{"of another status with Content-Range", 200, fields("Content-Range: bytes 0-1/2"), false},
		{"no content", 204, nil, false},
		{"not modified", 304, nil, false},
		{"coded already", 200, fields("Content-Encoding: gzip"), false},
		{"coded in a way that is not known", 200, fields("Content-Encoding: dcb"), false},
		{"twice", 200, fields("Content-Encoding: identity", "Content-Encoding: br"), false},
		{"identity", 200, fields("Content-Encoding: identity"), true},
		{"9111 §5.2.2.6 no-transform", 200, fields("Cache-Control: max-age=1", "Cache-Control: public, No-Transform"), false},
		{"9111 §5.2.2.6 within a string it is none", 200, fields(`Cache-Control: x="a, no-transform"`), true},
		{"9111 §5.2.2.6 hidden by broken quotes", 200, fields(`Cache-Control: x="a, no-transform`), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Transformable(&Response{tt.status, tt.fields}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWantsUntransformed(t *testing.T) {
	tests := []struct {
		name   string
		fields []Field
		want   bool
	}{
		{"plain", fields("Accept-Encoding: gzip"), false},
		{"a range", fields("Range: bytes=0-1"), true},
		{"9111 §5.2.1.6 no-transform", fields("Cache-Control: no-cache", "cache-control: max-age=0, no-transform"), true},
		{"another directive", fields("Cache-Control: no-cache"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := WantsUntransformed(&Request{"GET", tt.fields}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestVaryField(t *testing.T) {
	tests := []struct {
		fields []Field
		want   bool
	}{
		{nil, true},
		{fields("Vary: Accept, Cookie"), true},
		{fields("Vary: accept-encoding"), false},
		{fields("Vary: Accept", "Vary: Cookie,ACCEPT-ENCODING"), false},
		{fields("Vary: *"), false},
	}
	for _, tt := range tests {
		f, ok := VaryField(tt.fields)
		if ok != tt.want || ok && f != (Field{"Vary", "Accept-Encoding"}) {
			t.Errorf("%v: got %v %v, want %v", tt.fields, f, ok, tt.want)
		}
	}
}

func TestCodedFields(t *testing.T) {
	const rest = "Content-Type: text/html"
	tests := []struct {
		name     string
		in, want []Field
	}{
		{"9110 §8.8.3.3 strong", fields(rest, `ETag: "a"`), fields(rest, `ETag: W/"a"`, "Content-Encoding: br")},
		{"weak", fields(`ETag: W/"a"`), fields(`ETag: W/"a"`, "Content-Encoding: br")},
		{"broken", fields("ETag: a", rest), fields(rest, "Content-Encoding: br")},
		{"none", fields(rest), fields(rest, "Content-Encoding: br")},
		{"identity", fields("Content-Encoding: identity", rest), fields(rest, "Content-Encoding: br")},
		{"digests and length", fields("Content-Length: 5", "Content-MD5: x", "Digest: x", "Content-Digest: x", "repr-digest: x", rest), fields(rest, "Content-Encoding: br")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.in)
			if diff := cmp.Diff(tt.want, CodedFields(nil, tt.in, Brotli)); diff != "" {
				t.Errorf("got (+), want (-):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.in); diff != "" {
				t.Errorf("the stored fields were changed:\n%s", diff)
			}
		})
	}
}

func TestNotModifiedWeakly(t *testing.T) {
	tests := []struct {
		name   string
		tag    string
		shared bool
		fields []Field
		want   bool
	}{
		{"the client has a coded form", `"a"`, true, fields(`If-None-Match: W/"a"`), true},
		{"among others", `"a"`, true, fields(`If-None-Match: "b", W/"c"`, `If-None-Match: W/"a"`), true},
		{"it has the stored form", `"a"`, true, fields(`If-None-Match: "a"`), false},
		{"it has both", `"a"`, true, fields(`If-None-Match: W/"a", "a"`), false},
		{"it has anything", `"a"`, true, fields(`If-None-Match: *`), false},
		{"it goes by the date", `"a"`, true, nil, false},
		{"there are no other forms", `"a"`, false, fields(`If-None-Match: W/"a"`), false},
		{"the tag is weak", `W/"a"`, true, fields(`If-None-Match: W/"a"`), false},
		{"there is none", "", true, fields(`If-None-Match: W/"a"`), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := Metadata{Status: 200, ETag: tt.tag, SharedDate: tt.shared}
			if got := m.NotModifiedWeakly(&Request{"GET", tt.fields}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// Conditional and range requests on a response and its coded form: both are not modified for whoever has either, and parts of the
// one are never put to parts of the other.
func TestCodedConditions(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	plain := Metadata{Status: 200, ETag: `"a"`, LastModified: now.Add(-time.Hour), Date: now, ResponseTime: now}
	date := formatDate(plain.LastModified)
	plain.Negotiable()
	coded := plain.Coded()
	tests := []struct {
		name                string
		meta                *Metadata
		field               []Field
		notModified, range_ bool
	}{
		{"9110 §13.1.2 If-None-Match with the strong tag", &coded, fields(`If-None-Match: "a"`), true, true},
		{"9110 §13.1.2 If-None-Match with the weak tag", &plain, fields(`If-None-Match: W/"a"`), true, true},
		{"9110 §13.1.2 If-None-Match with its own", &coded, fields(`If-None-Match: W/"a"`), true, true},
		{"9110 §13.1.2 another", &coded, fields(`If-None-Match: W/"b"`), false, true},
		{"9110 §13.1.3 If-Modified-Since", &coded, fields("If-Modified-Since: " + date), true, true},
		{"9110 §13.1.5 If-Range with the strong tag on the stored form", &plain, fields(`If-Range: "a"`), false, true},
		{"9110 §13.1.5 If-Range with the strong tag on the coded form", &coded, fields(`If-Range: "a"`), false, false},
		{"9110 §13.1.5 If-Range with the weak tag", &coded, fields(`If-Range: W/"a"`), false, false},
		{"9110 §13.1.5 If-Range with the weak tag on the stored form", &plain, fields(`If-Range: W/"a"`), false, false},
		{"9110 §8.8.2.2 If-Range with a date that both have", &plain, fields("If-Range: " + date), false, false},
		{"9110 §8.8.2.2 If-Range with a date that both have, coded", &coded, fields("If-Range: " + date), false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := &Request{"GET", append(fields("Range: bytes=0-1"), tt.field...)}
			if got := tt.meta.NotModified(request); got != tt.notModified {
				t.Errorf("not modified: got %v, want %v", got, tt.notModified)
			}
			if _, _, o := tt.meta.Range(request, 10); (o == RangeSatisfiable) != tt.range_ {
				t.Errorf("range: got %v, want %v", o == RangeSatisfiable, tt.range_)
			}
		})
	}
}
