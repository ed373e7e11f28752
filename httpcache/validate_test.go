package httpcache

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestValidators(t *testing.T) {
	tests := []struct {
		name   string
		stored []Field
		want   []Field
	}{
		{"9111 §4.3.1 both", fields(`ETag: W/"a"`, "Last-Modified: "+at(-time.Hour)), fields(`If-None-Match: W/"a"`, "If-Modified-Since: "+at(-time.Hour))},
		{"9111 §4.3.1 ETag", fields(`ETag: "a"`), fields(`If-None-Match: "a"`)},
		{"9110 §8.8.2 Last-Modified in another format", fields("Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT"), fields("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT")},
		{"9110 §8.8.3 unquoted ETag", fields("ETag: a"), nil},
		{"9110 §8.8.3 ETag with text after it", fields(`ETag: "a" b`), nil},
		{"9110 §8.8.3 list of ETags", fields(`ETag: "a", "b"`), nil},
		{"9110 §8.8.3 repeated ETag", fields(`ETag: "a"`, `ETag: "a"`), nil},
		{"9110 §8.8.3 lower-case weakness", fields(`ETag: w/"a"`), nil},
		{"9110 §8.8.2 broken Last-Modified", fields("Last-Modified: now"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := describe(&Response{Status: 200, Fields: tt.stored}, &responseDirectives{}, t0, t0)
			if diff := cmp.Diff(tt.want, m.Validators(nil)); diff != "" {
				t.Errorf("fields (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNotModified(t *testing.T) {
	modified := "Last-Modified: " + at(-time.Hour)
	tests := []struct {
		name    string
		stored  []Field
		method  string
		request []Field
		want    bool
	}{
		{name: "no condition", stored: fields(`ETag: "a"`), want: false},
		{name: "9110 §13.1.2 same tag", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "a"`), want: true},
		{name: "9110 §13.1.2 HEAD", stored: fields(`ETag: "a"`), method: "HEAD", request: fields(`If-None-Match: "a"`), want: true},
		{name: "9110 §13.2.1 not for other methods", stored: fields(`ETag: "a"`), method: "DELETE", request: fields(`If-None-Match: "a"`), want: false},
		{name: "9110 §13.1.2 other tag", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "b"`), want: false},
		{name: "9110 §8.8.3 tags are case-sensitive", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "A"`), want: false},
		{name: "9110 §8.8.3.2 weak comparison, stored weak", stored: fields(`ETag: W/"a"`), request: fields(`If-None-Match: "a"`), want: true},
		{name: "9110 §8.8.3.2 weak comparison, asked weak", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: W/"a"`), want: true},
		{name: "9110 §13.1.2 one of a list", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "x" , ,W/"y,z","a"`), want: true},
		{name: "9110 §13.1.2 one of several lines", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "x"`, `If-None-Match: "a"`), want: true},
		{name: "9110 §13.1.2 a tag within a tag", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: "x,\"a\""`), want: false},
		{name: "9110 §13.1.2 any", stored: fields("Cache-Control: max-age=9"), request: fields("If-None-Match: *"), want: true},
		{name: "9110 §13.1.2 * in a list is no tag", stored: fields(`ETag: "a"`), request: fields(`If-None-Match: *, "a"`), want: false},
		{name: "9110 §8.8.3 unquoted tag", stored: fields(`ETag: "a"`), request: fields("If-None-Match: a"), want: false},
		{name: "9110 §13.1.2 nothing stored to match", stored: fields("Cache-Control: max-age=9"), request: fields(`If-None-Match: ""`), want: false},
		{name: "9110 §13.2.2 If-None-Match outranks If-Modified-Since", stored: fields(`ETag: "a"`, modified), request: fields(`If-None-Match: "b"`, "If-Modified-Since: "+at(0)), want: false},
		{name: "9110 §13.2.2 even a broken one", stored: fields(`ETag: "a"`, modified), request: fields(`If-None-Match: b`, "If-Modified-Since: "+at(0)), want: false},

		{name: "9110 §13.1.3 same date", stored: fields(modified), request: fields("If-Modified-Since: " + at(-time.Hour)), want: true},
		{name: "9110 §13.1.3 later date", stored: fields(modified), request: fields("If-Modified-Since: " + at(0)), want: true},
		{name: "9110 §13.1.3 earlier date", stored: fields(modified), request: fields("If-Modified-Since: " + at(-2*time.Hour)), want: false},
		{name: "9110 §13.1.3 no date", stored: fields(modified), request: fields("If-Modified-Since: today"), want: false},
		{name: "9110 §13.1.3 repeated", stored: fields(modified), request: fields("If-Modified-Since: "+at(0), "If-Modified-Since: "+at(0)), want: false},
		{name: "9111 §4.3.2 against Date", stored: fields("Cache-Control: max-age=9", "Date: "+at(-time.Second)), request: fields("If-Modified-Since: " + at(-time.Second)), want: true},
		{name: "9111 §4.3.2 earlier than Date", stored: fields("Cache-Control: max-age=9", "Date: "+at(-time.Second)), request: fields("If-Modified-Since: " + at(-2*time.Second)), want: false},
		{name: "9111 §4.3.2 against the time of receipt", stored: fields("Cache-Control: max-age=9"), request: fields("If-Modified-Since: " + at(0)), want: true},
		{name: "9110 §13.1.1 If-Match is for the origin", stored: fields(`ETag: "a"`), request: fields(`If-Match: "b"`), want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := describe(&Response{Status: 200, Fields: tt.stored}, &responseDirectives{}, t0, t0)
			if got := m.NotModified(&Request{Method: orGet(tt.method), Fields: tt.request}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			m.Status = 404 // 9110 §13.2.1: conditions are for what would be a 2xx
			if m.NotModified(&Request{Method: orGet(tt.method), Fields: tt.request}) {
				t.Error("got true for 404, want false")
			}
		})
	}
}

func TestFreshens(t *testing.T) {
	modified := "Last-Modified: " + at(-time.Hour)
	tests := []struct {
		name        string
		stored      []Field
		notModified []Field
		want        bool
	}{
		{"9111 §4.3.4 same strong tag", fields(`ETag: "a"`), fields(`ETag: "a"`), true},
		{"9111 §4.3.4 other strong tag", fields(`ETag: "a"`), fields(`ETag: "b"`), false},
		{"9111 §4.3.4 strong tag for a weak one", fields(`ETag: W/"a"`), fields(`ETag: "a"`), false},
		{"9111 §4.3.4 weak tag for a strong one", fields(`ETag: "a"`), fields(`ETag: W/"a"`), true},
		{"9111 §4.3.4 other weak tag", fields(`ETag: "a"`), fields(`ETag: W/"b"`), false},
		{"9111 §4.3.4 same tag, other date", fields(`ETag: "a"`, modified), fields(`ETag: "a"`, "Last-Modified: "+at(0)), true},
		{"9111 §4.3.4 same date", fields(modified), fields(modified), true},
		{"9111 §4.3.4 other date", fields(modified), fields("Last-Modified: " + at(0)), false},
		{"9111 §4.3.4 new tag, same date", fields(modified), fields(modified, `ETag: "a"`), true},
		{"9111 §4.3.4 new tag, same date, which may be that of two versions", fields("Last-Modified: " + at(-time.Second)), fields("Last-Modified: "+at(-time.Second), `ETag: "a"`), false},
		{"9111 §4.3.4 new weak tag, same date", fields("Last-Modified: " + at(-time.Second)), fields("Last-Modified: "+at(-time.Second), `ETag: W/"a"`), true},
		{"9111 §4.3.4 new tag only", fields(modified), fields(`ETag: "a"`), false},
		{"9111 §4.3.4 no validator", fields(`ETag: "a"`, modified), nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := describe(&Response{Status: 200, Fields: tt.stored}, &responseDirectives{}, t0, t0)
			if got := m.Freshens(&Response{Status: 304, Fields: tt.notModified}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func FuzzEntityTag(f *testing.F) {
	for _, seed := range []string{`"a"`, `W/"a", "b"`, `, ,"a" x`, `"`, `W/`, `*`, "\"\x80\""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		for line := list; line != ""; {
			tag, rest, ok := cutEntityTag(line)
			if !ok {
				break
			}
			if again, after, ok := cutEntityTag(tag); again != tag || after != "" || !ok {
				t.Errorf("%q: got %q, which is no entity-tag", list, tag)
			}
			line = rest
		}
	})
}
