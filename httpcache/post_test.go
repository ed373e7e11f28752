package httpcache

import "testing"

// TestPost: RFC 9111 §3, RFC 9110 §9.3.3: a response to POST answers later GETs only with explicit freshness and the target as its Content-Location,
// and only where the site wants it.
func TestPost(t *testing.T) {
	const own = "Content-Location: /a"
	tests := []struct {
		name     string
		policy   Policy
		response []Field
		want     Refusal
	}{
		{"by default it is not stored", Policy{}, fields("Cache-Control: max-age=60", own), MethodNotGet},
		{"explicit freshness", Policy{StorePost: true}, fields("Cache-Control: max-age=60", own), Storable},
		{"Expires", Policy{StorePost: true}, fields("Expires: "+at(60e9), own), Storable},
		{"no freshness", Policy{StorePost: true}, fields(own, "Cache-Control: public", `ETag: "a"`), MethodNotGet},
		{"no Content-Location", Policy{StorePost: true}, fields("Cache-Control: max-age=60"), MethodNotGet},
		{"no-store", Policy{StorePost: true}, fields("Cache-Control: max-age=60, no-store", own), NoStore},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, refusal := Store(&Request{Method: "POST"}, &Response{Status: 200, Fields: tt.response}, t0, t0, tt.policy)
			if refusal != tt.want {
				t.Errorf("got %q, want %q", refusal, tt.want)
			}
		})
	}
}

func TestSelfLocated(t *testing.T) {
	const target = "https://example.org/a?b"
	tests := []struct {
		name     string
		response []Field
		want     bool
	}{
		{"absolute", fields("Content-Location: https://EXAMPLE.org:443/a?b"), true},
		{"relative", fields("Content-Location: a?b"), true},
		{"none", nil, false},
		{"two", fields("Content-Location: a?b", "Content-Location: a?b"), false},
		{"another path", fields("Content-Location: c?b"), false},
		{"another query", fields("Content-Location: a"), false},
		{"another scheme", fields("Content-Location: http://example.org/a?b"), false},
		{"another host", fields("Content-Location: //example.com/a?b"), false},
		{"a fragment", fields("Content-Location: a?b#c"), false},
		{"no URI", fields("Content-Location: http://[/"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := SelfLocated(target, tt.response); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
