package replay

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/seawall/seawall/rules"
)

func TestTry(t *testing.T) {
	const logged = `{"time":"2015-05-17T12:00:00.000Z","client":"192.0.2.7","method":"GET","host":"a.test","target":"/x","proto":"HTTP/1.1","tls":"1.3","status":404,"bytes":12,"verdict":"pass","cache":"miss","agent":"curl/8"}`
	tests := []struct {
		name, expression, request string
		want                      bool
	}{
		{"path", `http.request.uri.path eq "/a"`, "GET /a HTTP/1.1\nHost: a.test\n\n", true},
		{"not the path", `http.request.uri.path eq "/b"`, "GET /a HTTP/1.1\nHost: a.test\n\n", false},
		{"header", `http.request.headers["x-a"][0] eq "1" and http.host eq "a.test"`, "GET /a HTTP/1.1\r\nHost: a.test\r\nX-A: 1\r\n\r\n", true},
		{"no end, no host", `http.host eq "example.org" and http.user_agent eq "x"`, "GET / HTTP/1.1\nUser-Agent: x", true},
		{"body", `http.request.method eq "POST"`, "POST / HTTP/1.1\nHost: a.test\nContent-Length: 3\n\nabc", true},
		{"client", `ip.src eq 192.0.2.1`, "GET / HTTP/1.1\n\n", true},
		{"list", `ip.src in $mine`, "GET / HTTP/1.1\n\n", true},
		{"a line", `http.response.code eq 404 and ssl and http.user_agent eq "curl/8"`, logged, true},
		{"a line's path", `http.request.uri.path eq "/y"`, logged, false},
	}
	of := load(t, "lists: {named: [{name: mine, kind: ip, values: [192.0.2.0/24]}]}\n")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Try(of, tt.expression, &Trial{Request: tt.request, Client: netip.MustParseAddr("192.0.2.1")})
			if err != nil {
				t.Fatal(err)
			}
			if e.Holds != tt.want {
				t.Errorf("got %v, want %v:\n%v", e.Holds, tt.want, e)
			}
		})
	}
}

func TestTryFails(t *testing.T) {
	_, err := Try(None(), `http.hots eq "x"`, &Trial{Request: "GET / HTTP/1.1\n"})
	if wrong, ok := errors.AsType[*rules.Error](err); !ok || wrong.Column != 1 {
		t.Errorf("got %v, want a *rules.Error at column 1", err)
	}
	for _, request := range []string{"", "GET\n", "GET / HTTP/1.1\nno colon\n", "{", `{"client":"192.0.2.1"}`} {
		if _, err := Try(None(), "ssl", &Trial{Request: request}); err == nil || !strings.HasPrefix(err.Error(), "the request: ") {
			t.Errorf("%q: got %v, want an error about the request", request, err)
		}
	}
}
