package httpcache

import (
	"net/http"
	"testing"
	"time"
)

func TestParseDate(t *testing.T) {
	example := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	tests := []struct {
		name  string
		value string
		want  time.Time // zero if it is no date
	}{
		{"9110 §5.6.7 IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", example},
		{"9110 §5.6.7 RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", example},
		{"9110 §5.6.7 asctime", "Sun Nov  6 08:49:37 1994", example},
		{"9110 §5.6.7 asctime, two digits", "Wed Nov 16 08:49:37 1994", example.AddDate(0, 0, 10)},
		{"9110 §5.6.7 RFC 850, 50 years ahead", "Saturday, 14-Mar-76 12:00:00 GMT", time.Date(2076, 3, 14, 12, 0, 0, 0, time.UTC)},
		{"9110 §5.6.7 RFC 850, more than 50 years ahead", "Sunday, 14-Mar-76 12:00:01 GMT", time.Date(1976, 3, 14, 12, 0, 1, 0, time.UTC)},
		{"9111 §4.2 letter case", "sUN, 06 nOV 1994 08:49:37 gmt", example},
		{"9110 §5.6.7 leap second, rounded down", "Sat, 31 Dec 2016 23:59:60 GMT", time.Date(2016, 12, 31, 23, 59, 59, 0, time.UTC)},
		{"9110 §5.6.7 leap day", "Thu, 29 Feb 2024 00:00:00 GMT", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"9110 §5.6.7 wrong day of the week", "Mon, 06 Nov 1994 08:49:37 GMT", example},

		{"9111 §5.3 0", "0", time.Time{}},
		{"9111 §5.3 -1", "-1", time.Time{}},
		{"empty", "", time.Time{}},
		{"9111 §4.2 UTC is not GMT", "Sun, 06 Nov 1994 08:49:37 UTC", time.Time{}},
		{"9111 §4.2 other zone", "Sun, 06 Nov 1994 08:49:37 AEST", time.Time{}},
		{"no zone", "Sun, 06 Nov 1994 08:49:37", time.Time{}},
		{"no such month", "Sun, 06 Foo 1994 08:49:37 GMT", time.Time{}},
		{"no such day", "Fri, 31 Feb 1994 08:49:37 GMT", time.Time{}},
		{"day 0", "Sun, 00 Nov 1994 08:49:37 GMT", time.Time{}},
		{"no leap day in 2023", "Wed, 29 Feb 2023 00:00:00 GMT", time.Time{}},
		{"hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", time.Time{}},
		{"minute 60", "Sun, 06 Nov 1994 08:60:37 GMT", time.Time{}},
		{"second 61", "Sun, 06 Nov 1994 08:49:61 GMT", time.Time{}},
		{"one-digit hour", "Sun, 06 Nov 1994 8:49:37 GMT", time.Time{}},
		{"two-digit year", "Sun, 06 Nov 94 08:49:37 GMT", time.Time{}},
		{"dashes with a short day", "Sun, 06-Nov-1994 08:49:37 GMT", time.Time{}},
		{"two spaces", "Sun, 06  Nov 1994 08:49:37 GMT", time.Time{}},
		{"signed number", "Sun, +6 Nov 1994 08:49:37 GMT", time.Time{}},
		{"text after it", "Sun, 06 Nov 1994 08:49:37 GMT, x", time.Time{}},
		{"no comma", "Sun 06 Nov 1994 08:49:37 GMT", time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseDate(tt.value, t0)
			if !got.Equal(tt.want) || ok == tt.want.IsZero() {
				t.Errorf("got %v, %v, want %v", got, ok, tt.want)
			}
		})
	}
}

// FuzzParseDate holds the parser against the standard library's, which accepts a little more.
func FuzzParseDate(f *testing.F) {
	for _, seed := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
		"Sat, 31 Dec 2016 23:59:60 GMT", "Mon, 29-Feb-00 00:00:00 GMT", "0", ",,,", "Sun, 06 Nov 0000 08:49:37 GMT",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDate(s, t0)
		if !ok {
			return
		}
		if again, ok := ParseDate(formatDate(got), t0); !ok || !again.Equal(got) {
			t.Errorf("%q: got %v, %v back from %q", s, again, ok, formatDate(got))
		}
		want, err := http.ParseTime(s)
		if err != nil { // letter case, leap seconds
			return
		}
		if want.Year()%100 == got.Year()%100 { // the century of a two-digit year is a matter of what time it is
			want = want.AddDate(got.Year()-want.Year(), 0, 0)
		}
		if !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	})
}
