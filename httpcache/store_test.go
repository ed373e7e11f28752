package httpcache

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// t0 is when every response in these tests was received, unless its test says otherwise.
var t0 = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// fields reads "Name: value" lines.
func fields(lines ...string) []Field {
	var fs []Field
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		fs = append(fs, Field{name, strings.TrimPrefix(value, " ")})
	}
	return fs
}

// at is an HTTP-date a time away from t0.
func at(d time.Duration) string { return formatDate(t0.Add(d)) }

func TestStoreRefusals(t *testing.T) {
	tests := []struct {
		name     string // begins with the section that asks for it
		method   string // GET if empty
		request  []Field
		status   int // 200 if 0
		response []Field
		policy   Policy
		want     Refusal
	}{
		{name: "9111 §3 explicit freshness", response: fields("Cache-Control: max-age=60"), want: Storable},
		{name: "9111 §3 POST is not stored", method: "POST", response: fields("Cache-Control: max-age=60"), want: MethodNotGet},
		{name: "9111 §3 HEAD has no content to store", method: "HEAD", response: fields("Cache-Control: max-age=60"), want: MethodNotGet},
		{name: "9110 §9.1 methods are case-sensitive", method: "get", response: fields("Cache-Control: max-age=60"), want: MethodNotGet},
		{name: "9111 §3 informational is not final", status: 103, response: fields("Cache-Control: max-age=60"), want: NotFinal},
		{name: "9110 §15 a status above 599 is none", status: 600, response: fields("Cache-Control: max-age=60"), want: NotFinal},
		{name: "9111 §3.3 206 is partial", status: 206, response: fields("Cache-Control: max-age=60"), want: Partial},
		{name: "9111 §3.3 304 is partial", status: 304, response: fields("Cache-Control: max-age=60"), want: Partial},
		{name: "9110 §15.5.17 416 is about this request's Range", status: 416, response: fields("Cache-Control: max-age=60"), want: AboutRequest},
		{name: "9110 §15.5.13 412 is about this request's conditions", status: 412, response: fields("Cache-Control: max-age=60"), want: AboutRequest},
		{name: "6585 §5 431 is about this request's fields", status: 431, response: fields("Cache-Control: max-age=60"), want: AboutRequest},

		{name: "9111 §3 unknown status with explicit freshness", status: 599, response: fields("Cache-Control: max-age=60"), want: Storable},
		{name: "9111 §5.2.2.3 must-understand with an unknown status", status: 599, response: fields("Cache-Control: max-age=60, must-understand"), want: NotUnderstood},
		{name: "9111 §5.2.2.3 must-understand outranks no-store", response: fields("Cache-Control: max-age=60, must-understand, no-store"), want: Storable},
		{name: "9111 §3 302 without freshness", status: 302, response: fields("ETag: \"a\""), want: StatusNotCacheable},
		{name: "9111 §3 302 with Expires", status: 302, response: fields("Expires: " + at(time.Minute)), want: Storable},
		{name: "9111 §3 500 with max-age", status: 500, response: fields("Cache-Control: max-age=60"), want: Storable},
		{name: "9110 §15.1 404 with Last-Modified", status: 404, response: fields("Last-Modified: " + at(-time.Hour)), want: Storable},
		{name: "9111 §5.2.2.9 public makes any status cacheable", status: 599, response: fields("Cache-Control: public", "Last-Modified: "+at(-time.Hour)), want: Storable},

		{name: "9111 §5.2.2.5 no-store", response: fields("Cache-Control: max-age=60, no-store"), want: NoStore},
		{name: "9111 §5.2 names are case-insensitive", response: fields("cache-control: max-age=60, No-StOrE"), want: NoStore},
		{name: "9111 §5.2.2.5 no-store in a second line", response: fields("Cache-Control: max-age=60", "Cache-Control: no-store"), want: NoStore},
		{name: "9111 §5.2.2.7 private", response: fields("Cache-Control: max-age=60, private"), want: Private},
		{name: "9111 §5.2.2.7 qualified private lets the rest be stored", response: fields(`Cache-Control: max-age=60, private="X-User"`), want: Storable},
		{name: "9111 §5.2.2.7 private with a field the rest needs", response: fields(`Cache-Control: max-age=60, private="X-User, Vary"`), want: Private},
		{name: "9111 §5.2.2.7 private with what is no name", response: fields(`Cache-Control: max-age=60, private="X User"`), want: Private},
		{name: "9111 §5.2.2.7 qualified and unqualified private", response: fields(`Cache-Control: private="X-User", max-age=60, private`), want: Private},
		{name: "9111 §5.2.2.7 a Set-Cookie that is private is not stored", response: fields(`Cache-Control: max-age=60, private="Set-Cookie"`, "Set-Cookie: a=b"), want: Storable},
		{name: "9111 §5.2 a directive within quotes is text", response: fields(`Cache-Control: max-age=60, ext="no-store, private"`), want: Storable},
		{name: "9110 §5.6.4 an escaped quote does not end the text", response: fields(`Cache-Control: max-age=60, ext="\", no-store"`), want: Storable},
		{name: "9111 §4.2.1 quotes that do not end may hide no-store", response: fields(`Cache-Control: max-age=60, ext="a, no-store`), want: BrokenDirectives},
		{name: "9111 §4.2.1 quotes in a name may hide no-store", response: fields(`Cache-Control: max-age=60, a"b, no-store, c"d`), want: BrokenDirectives},
		{name: "9111 §4.2.1 quotes within a token may hide no-store", response: fields(`Cache-Control: max-age=60, ext =x", no-store, "y`), want: BrokenDirectives},
		{name: "9111 §4.2.1 text after the quotes", response: fields(`Cache-Control: max-age=60, ext="a"b`), want: BrokenDirectives},

		{name: "9111 §5.2.1 request no-store is ignored by default", request: fields("Cache-Control: no-store"), response: fields("Cache-Control: max-age=60"), want: Storable},
		{name: "9111 §5.2.1.5 request no-store is honoured by policy", request: fields("Cache-Control: no-store"), response: fields("Cache-Control: max-age=60"), policy: Policy{RequestDirectives: true}, want: NoStoreRequest},

		{name: "9111 §3.5 Authorization", request: fields("Authorization: Basic x"), response: fields("Cache-Control: max-age=60"), want: Authorization},
		{name: "9111 §3.5 Authorization with public", request: fields("Authorization: Basic x"), response: fields("Cache-Control: max-age=60, public"), want: Storable},
		{name: "9111 §3.5 Authorization with must-revalidate", request: fields("Authorization: Basic x"), response: fields("Cache-Control: max-age=60, must-revalidate"), want: Storable},
		{name: "9111 §5.2.2.8 Authorization with proxy-revalidate, which permits nothing", request: fields("Authorization: Basic x"), response: fields("Cache-Control: max-age=60, proxy-revalidate"), want: Authorization},
		{name: "9111 §3.5 Authorization with s-maxage", request: fields("Authorization: Basic x"), response: fields("Cache-Control: s-maxage=60"), want: Storable},
		{name: "9111 §4.2.1 a broken s-maxage permits nothing", request: fields("Authorization: Basic x"), response: fields("Cache-Control: max-age=60, s-maxage=x"), want: Authorization},
		{name: "9111 §3.5 private outranks public", request: fields("Authorization: Basic x"), response: fields("Cache-Control: public, private, max-age=60"), want: Private},

		{name: "9111 §7.3 Set-Cookie", response: fields("Cache-Control: public, s-maxage=60", "Set-Cookie: id=1"), want: SetCookie},
		{name: "9111 §7.3 Set-Cookie by policy", response: fields("Cache-Control: max-age=60", "Set-Cookie: id=1"), policy: Policy{StoreSetCookie: true}, want: Storable},
		{name: "9111 §7.3 Cookie in the request does not matter", request: fields("Cookie: id=1"), response: fields("Cache-Control: max-age=60"), want: Storable},

		{name: "9111 §4.1 Vary: *", response: fields("Cache-Control: max-age=60", "Vary: *"), want: VaryAny},
		{name: "9111 §4.1 * among names", response: fields("Cache-Control: max-age=60", "Vary: Foo, *"), want: VaryAny},
		{name: "9111 §4.1 * in a second line", response: fields("Cache-Control: max-age=60", "Vary: ", "Vary: , *"), want: VaryAny},
		{name: "9111 §4.1 a Vary that is no list of names", response: fields("Cache-Control: max-age=60", "Vary: Accept Encoding"), want: VaryAny},
		{name: "bound on names in Vary", response: fields("Cache-Control: max-age=60", "Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"), want: VaryAny},

		{name: "9111 §3 neither freshness nor validator", want: NothingToReuse},
		{name: "9111 §3 stale with a validator", response: fields("Cache-Control: max-age=0", `ETag: "a"`), want: Storable},
		{name: "9111 §3 stale without a validator", response: fields("Cache-Control: max-age=0"), want: NothingToReuse},
		{name: "9111 §5.2.2.4 no-cache with a validator", response: fields("Cache-Control: no-cache", `ETag: "a"`), want: Storable},
		{name: "9111 §5.2.2.4 no-cache without a validator", response: fields("Cache-Control: no-cache, max-age=60"), want: NothingToReuse},
		{name: "9111 §5.4 Pragma in a response means nothing", response: fields("Cache-Control: max-age=60", "Pragma: no-cache"), want: Storable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req := &Request{Method: orGet(tt.method), Fields: tt.request}
			resp := &Response{Status: orOK(tt.status), Fields: tt.response}
			m, got := Store(req, resp, t0, t0, tt.policy)
			if got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(Metadata{}, m); got != Storable && diff != "" {
				t.Errorf("refused but with metadata (-want +got):\n%s", diff)
			}
		})
	}
}

func orGet(method string) string {
	if method == "" {
		return "GET"
	}
	return method
}

func orOK(status int) int {
	if status == 0 {
		return 200
	}
	return status
}

// TestLifetime gives every response a validator, so that stale ones are stored too.
func TestLifetime(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name     string
		status   int
		response []Field
		want     time.Duration
	}{
		{name: "9111 §4.2.1 max-age", response: fields("Cache-Control: max-age=60"), want: time.Minute},
		{name: "9111 §4.2.1 s-maxage wins over max-age", response: fields("Cache-Control: max-age=60, s-maxage=10"), want: 10 * time.Second},
		{name: "9111 §4.2.1 s-maxage wins in any order and line", response: fields("Cache-Control: s-maxage=100", "Cache-Control: max-age=1"), want: 100 * time.Second},
		{name: "9111 §4.2.1 max-age wins over Expires", response: fields("Cache-Control: max-age=60", "Expires: "+at(time.Hour), "Date: "+at(0)), want: time.Minute},
		{name: "9111 §4.2.1 max-age wins over a broken Expires", response: fields("Cache-Control: max-age=60", "Expires: 0"), want: time.Minute},
		{name: "9111 §4.2.1 Expires minus Date", response: fields("Expires: "+at(time.Hour), "Date: "+at(-time.Minute)), want: 61 * time.Minute},
		{name: "9110 §6.6.1 Expires minus receipt without Date", response: fields("Expires: " + at(time.Hour)), want: time.Hour},
		{name: "9110 §6.6.1 Expires minus receipt with a broken Date", response: fields("Expires: "+at(time.Hour), "Date: yesterday"), want: time.Hour},
		{name: "9111 §5.3 Expires in the past", response: fields("Expires: "+at(-time.Hour), "Date: "+at(0)), want: 0},
		{name: "9111 §5.3 Expires: 0", response: fields("Expires: 0", "Last-Modified: "+at(-day)), want: 0},
		{name: "9111 §4.2.1 repeated Expires is stale", response: fields("Expires: "+at(time.Hour), "Expires: "+at(2*time.Hour)), want: 0},

		{name: "9111 §4.2.1 the lowest of repeated max-age", response: fields("Cache-Control: max-age=60, max-age=10, max-age=30"), want: 10 * time.Second},
		{name: "9111 §4.2.1 the lowest across lines", response: fields("Cache-Control: max-age=10", "Cache-Control: max-age=60"), want: 10 * time.Second},
		{name: "9111 §4.2.1 max-age that is no number", response: fields("Cache-Control: max-age=1h", "Expires: "+at(time.Hour)), want: 0},
		{name: "9111 §4.2.1 negative max-age", response: fields("Cache-Control: max-age=-3600"), want: 0},
		{name: "9111 §4.2.1 fractional max-age", response: fields("Cache-Control: max-age=3600.5"), want: 0},
		{name: "9111 §4.2.1 max-age without argument", response: fields("Cache-Control: max-age"), want: 0},
		{name: "9111 §4.2.1 max-age with an empty argument", response: fields("Cache-Control: max-age="), want: 0},
		{name: "9111 §4.2.1 one broken of two", response: fields("Cache-Control: max-age=60, max-age=x"), want: 0},
		{name: "9111 §4.2.1 broken s-maxage does not fall back", response: fields("Cache-Control: max-age=60, s-maxage=x"), want: 0},
		{name: "9111 §5.2 quoted argument", response: fields(`Cache-Control: max-age="60"`), want: time.Minute},
		{name: "9111 §5.2 single quotes are no quotes", response: fields(`Cache-Control: max-age='60'`), want: 0},
		{name: "9111 §5.2 space after =", response: fields("Cache-Control: max-age= 60"), want: 0},
		{name: "9111 §5.2 space before =", response: fields("Cache-Control: max-age =60"), want: 0},
		{name: "9111 §5.2 a max-age within quotes is text", response: fields(`Cache-Control: ext="max-age=3600", max-age=1`), want: time.Second},
		{name: "9110 §5.6.1 empty elements and odd whitespace", response: fields("Cache-Control: ,\t, max-age=60 ,"), want: time.Minute},
		{name: "9111 §1.2.2 leading zeros", response: fields("Cache-Control: max-age=000060"), want: time.Minute},
		{name: "9111 §1.2.2 overflow saturates", response: fields("Cache-Control: max-age=99999999999999999999999999"), want: maxDelta},

		{name: "9111 §4.2.2 a tenth of the time since Last-Modified", response: fields("Last-Modified: "+at(-100*time.Minute), "Date: "+at(0)), want: 10 * time.Minute},
		{name: "9111 §4.2.2 heuristic is bounded", response: fields("Last-Modified: "+at(-1000*day), "Date: "+at(0)), want: day},
		{name: "9111 §4.2.2 Last-Modified in the future", response: fields("Last-Modified: "+at(day), "Date: "+at(0)), want: 0},
		{name: "9111 §4.2.2 no heuristic without Last-Modified", want: 0},
		{name: "9110 §15.1 heuristic for 410", status: 410, response: fields("Last-Modified: " + at(-100*time.Minute)), want: 10 * time.Minute},
		{name: "9111 §4.2.2 public permits a heuristic for 302", status: 302, response: fields("Cache-Control: public", "Last-Modified: "+at(-100*time.Minute)), want: 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := &Response{Status: orOK(tt.status), Fields: append(fields(`ETag: "a"`), tt.response...)}
			m, refusal := Store(&Request{Method: "GET"}, resp, t0, t0, Policy{})
			if refusal != Storable {
				t.Fatalf("got %q, want %q", refusal, Storable)
			}
			if m.Lifetime != tt.want {
				t.Errorf("got %v, want %v", m.Lifetime, tt.want)
			}
		})
	}
}

func TestAge(t *testing.T) {
	tests := []struct {
		name     string
		strict   bool // as the policy may have it
		response []Field
		delay    time.Duration // between request and response
		resident time.Duration
		want     time.Duration
	}{
		{name: "9111 §4.2.3 just received", response: fields("Date: " + at(0)), want: 0},
		{name: "9111 §4.2.3 resident time", response: fields("Date: " + at(0)), resident: time.Minute, want: time.Minute},
		{name: "9111 §4.2.3 apparent age", response: fields("Date: " + at(-time.Minute)), want: time.Minute},
		{name: "9111 §4.2.3 Date in the future", response: fields("Date: " + at(time.Minute)), want: 0},
		{name: "9111 §4.2.3 Age field", response: fields("Date: "+at(0), "Age: 30"), resident: time.Second, want: 31 * time.Second},
		{name: "9111 §4.2.3 Age plus response delay", response: fields("Date: "+at(0), "Age: 30"), delay: 5 * time.Second, want: 35 * time.Second},
		{name: "9111 §4.2.3 the greater of apparent and corrected", response: fields("Date: "+at(-time.Hour), "Age: 30"), want: time.Hour},
		{name: "9111 §4.2.3 a clock that went back", response: fields("Date: " + at(0)), resident: -time.Minute, want: 0},
		{name: "9111 §1.2.2 Age saturates", response: fields("Age: 99999999999"), delay: time.Hour, resident: time.Hour, want: maxDelta},
		{name: "9111 §5.1 unreadable Age is ignored", response: fields("Age: abc"), want: 0},
		{name: "9111 §5.1 negative Age is ignored", response: fields("Age: -1"), want: 0},
		{name: "9111 §5.1 Age with a parameter is ignored", response: fields("Age: 9;a=b"), want: 0},
		{name: "9111 §5.1 ignored, the apparent age still counts", response: fields("Age: abc", "Date: "+at(-time.Minute)), want: time.Minute},
		{name: "9111 §5.1 the first of a list", response: fields("Age: 7, 0"), want: 7 * time.Second},
		{name: "9111 §5.1 the first of a list is broken", response: fields("Age: x, 7"), want: 0},
		{name: "9111 §5.1 the first of two lines", response: fields("Age: 7", "Age: 9"), want: 7 * time.Second},
		{name: "strict: one Age", strict: true, response: fields("Age: 7"), want: 7 * time.Second},
		{name: "strict: no Age", strict: true, want: 0},
		{name: "strict: unreadable Age", strict: true, response: fields("Age: abc"), want: maxDelta},
		{name: "strict: negative Age", strict: true, response: fields("Age: -1"), want: maxDelta},
		{name: "strict: Age with a parameter", strict: true, response: fields("Age: 0;a=b"), want: maxDelta},
		{name: "strict: list in Age", strict: true, response: fields("Age: 0, 0"), want: maxDelta},
		{name: "strict: repeated Age", strict: true, response: fields("Age: 0", "Age: 0"), want: maxDelta},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp := &Response{Status: 200, Fields: append(fields(`ETag: "a"`), tt.response...)}
			m, refusal := Store(&Request{Method: "GET"}, resp, t0.Add(-tt.delay), t0, Policy{StrictAge: tt.strict})
			if refusal != Storable {
				t.Fatalf("got %q, want %q", refusal, Storable)
			}
			if got := m.Age(t0.Add(tt.resident)); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if m.InitialAge > maxDelta {
				t.Errorf("got initial age %v, want at most %v", m.InitialAge, maxDelta)
			}
		})
	}
}

// TestAgeOfOneSecond keeps a max-age of 1, which shields well under attack, worth a second.
func TestAgeOfOneSecond(t *testing.T) {
	received := t0.Add(900 * time.Millisecond)
	for _, response := range [][]Field{
		fields("Cache-Control: max-age=1"),
		fields("Cache-Control: max-age=1", "Date: "+at(0)),
	} {
		m, _ := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: response}, received, received, Policy{})
		if got := m.Age(received); got != 0 {
			t.Errorf("%v: got age %v, want 0", response, got)
		}
	}
}

func TestStoreMetadata(t *testing.T) {
	resp := &Response{Status: 404, Fields: fields(
		"Date: "+at(-2*time.Second),
		"Age: 5",
		`ETag: W/"v1"`,
		"Last-Modified: "+at(-time.Hour),
		"Cache-Control: max-age=60, stale-while-revalidate=30, stale-if-error=600, immutable",
		"Cache-Control: no-cache=\"a, b\", proxy-revalidate",
		"Vary: Foo, accept-encoding",
		"Vary: foo",
	)}
	got, refusal := Store(&Request{Method: "GET"}, resp, t0.Add(-time.Second), t0, Policy{})
	if refusal != Storable {
		t.Fatalf("got %q, want %q", refusal, Storable)
	}
	want := Metadata{
		Status:               404,
		Date:                 t0.Add(-2 * time.Second),
		ResponseTime:         t0,
		LastModified:         t0.Add(-time.Hour),
		ETag:                 `W/"v1"`,
		InitialAge:           6 * time.Second,
		Lifetime:             time.Minute,
		StaleWhileRevalidate: 30 * time.Second,
		StaleIfError:         10 * time.Minute,
		MustRevalidate:       true,
		Immutable:            true,
		Vary:                 []string{"accept-encoding", "foo"},
		Withheld:             []string{"a", "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
}

// TestUnsetCookies: what was asked for without Cookie is one for all, and its Set-Cookie for nobody.
func TestUnsetCookies(t *testing.T) {
	response := fields("Cache-Control: max-age=60", "Vary: Cookie, Accept", "Set-Cookie: a=b", "X: y")
	for _, tt := range []struct {
		own     OwnLifetime
		refusal Refusal
		vary    []string
		stored  []Field
	}{
		{OwnLifetime{}, SetCookie, nil, nil},
		{OwnLifetime{UnsetCookies: true}, Storable, []string{"accept"}, fields("Cache-Control: max-age=60", "Vary: Cookie, Accept", "X: y", "Date: "+at(0))},
	} {
		m, refusal := Store(&Request{Method: "GET"}, &Response{Status: 200, Fields: response}, t0, t0, Policy{Own: tt.own})
		if d := cmp.Diff(tt.vary, m.Vary); refusal != tt.refusal || d != "" {
			t.Errorf("%+v: got %v, want %v; vary -want +got:\n%s", tt.own, refusal, tt.refusal, d)
		}
		if refusal != Storable {
			continue
		}
		if d := cmp.Diff(tt.stored, m.StoredFields(nil, response)); d != "" {
			t.Errorf("%+v: stored -want +got:\n%s", tt.own, d)
		}
	}
}

func TestStringsAreNamed(t *testing.T) {
	for r := range NothingToReuse + 1 {
		if s := r.String(); s == "" || s == "unknown" {
			t.Errorf("Refusal(%d): got %q, want a phrase", r, s)
		}
	}
	for r := range RequestOnlyIfCached + 1 {
		if s := r.String(); s == "" || s == "unknown" {
			t.Errorf("Reason(%d): got %q, want a phrase", r, s)
		}
	}
	for o := range Forbid + 1 {
		if s := o.String(); s == "" || s == "unknown" {
			t.Errorf("Outcome(%d): got %q, want a name", o, s)
		}
	}
	for _, s := range []string{Refusal(200).String(), Reason(200).String(), Outcome(200).String()} {
		if s != "unknown" {
			t.Errorf("got %q, want unknown", s)
		}
	}
}
