package wire

import (
	"slices"
	"strings"
	"testing"
)

// told returns what software says of a request, value by value, without the request's own fields.
func told(s *Software, q *Request, l layout) string {
	var b strings.Builder
	for _, f := range s.lay(nil, q, l) {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

var (
	overTLS   = layout{host: "harbour.test", secure: true}
	overHTTP  = layout{host: "harbour.test"}
	overHTTP2 = layout{host: "harbour.test", secure: true, http2: true}
)

func TestLayout(t *testing.T) {
	chromium := chromium(newRand(1), "chrome", "Google Chrome", "X11; Linux x86_64", "Linux", 131, "Safari/537.36")
	const hints = `"Google Chrome";v="131", "Chromium";v="131", "Not_A Brand";v="24"`
	const agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
	language := chromium.Fields[indexField(chromium.Fields, "Accept-Language")].Value
	tests := []struct {
		name   string
		s      *Software
		q      *Request
		layout layout
		want   []string
	}{
		{"chrome's first page", chromium, &Request{}, overHTTP2, []string{
			"sec-ch-ua: " + hints, "sec-ch-ua-mobile: ?0", `sec-ch-ua-platform: "Linux"`, "Upgrade-Insecure-Requests: 1", "User-Agent: " + agent,
			"Accept: " + chromiumHTML, "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document",
			"Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: " + language, "Priority: u=0, i",
		}},
		{"chrome's next page, without TLS", chromium, &Request{Fields: []Field{{"Cookie", "a=b"}, {"Referer", "http://harbour.test/"}}}, overHTTP, []string{
			"Host: harbour.test", "Connection: keep-alive", "Upgrade-Insecure-Requests: 1", "User-Agent: " + agent, "Accept: " + chromiumHTML,
			"Referer: http://harbour.test/", "Accept-Encoding: gzip, deflate", "Accept-Language: " + language, "Cookie: a=b",
		}},
		{"chrome's image", chromium, &Request{Dest: "image", Fields: []Field{{"Referer", "https://harbour.test/a"}, {"If-None-Match", `"x"`}}}, overHTTP2, []string{
			`sec-ch-ua-platform: "Linux"`, "User-Agent: " + agent, "sec-ch-ua: " + hints, "sec-ch-ua-mobile: ?0",
			"Accept: " + chromiumLoads.accept["image"], "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image",
			"Referer: https://harbour.test/a", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: " + language, `If-None-Match: "x"`,
			"Priority: u=2, i",
		}},
		{"chrome's form", chromium, &Request{Method: "POST", Body: []byte("q=1"), Fields: []Field{{"X-Own", "1"}, {"Content-Type", "x/y"},
			{"Referer", "https://elsewhere.test/"}}}, overTLS, []string{
			"Host: harbour.test", "Connection: keep-alive", "Content-Length: 3", "sec-ch-ua: " + hints, "sec-ch-ua-mobile: ?0", `sec-ch-ua-platform: "Linux"`,
			"Origin: https://harbour.test", "Content-Type: x/y", "Upgrade-Insecure-Requests: 1", "User-Agent: " + agent, "Accept: " + chromiumHTML,
			"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document", "Referer: https://elsewhere.test/",
			"Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: " + language, "X-Own: 1",
		}},
		{"chrome's websocket", chromium, opening(&Request{Path: "/live", Fields: []Field{{"Cookie", "a=b"}}}, "key"), overTLS, []string{
			"Host: harbour.test", "Connection: Upgrade", "Pragma: no-cache", "Cache-Control: no-cache", "User-Agent: " + agent, "Upgrade: websocket",
			"Origin: https://harbour.test", "Sec-WebSocket-Version: 13", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: " + language,
			"Cookie: a=b", "Sec-WebSocket-Key: key",
		}},
		{"axios has a place for the host", program("x", nodeHello, nil, "Accept", "*/*", "Host", "", "Connection", "close"), &Request{}, overTLS, []string{
			"Accept: */*", "Host: harbour.test", "Connection: close",
		}},
		{"own fields twice and without a place", program("x", nodeHello, nil, "A", "", "B", "2"),
			&Request{Fields: []Field{{"c", "3"}, {"b", "4"}, {"a", "1"}, {"a", "2"}, {"Host", "own"}}}, overHTTP2, []string{"A: 1", "A: 2", "B: 4", "c: 3"}},
		{"POST of nothing", program("x", nodeHello, nil), &Request{Method: "POST"}, overTLS, []string{"Host: harbour.test", "Content-Length: 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := told(tt.s, tt.q, tt.layout), strings.Join(tt.want, "\n")+"\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// The same seed is the same software, and an exact copy is nothing but another of the same.
func TestNamed(t *testing.T) {
	for _, name := range Names() {
		one, err := Named(name, newRand(7))
		if err != nil {
			t.Fatal(err)
		}
		two, _ := Named(name, newRand(7))
		if one.Name != two.Name || one.Hello != two.Hello || !slices.Equal(one.Fields, two.Fields) {
			t.Errorf("%s: %v, then %v", name, one, two)
		}
		if one.Scripts != (one.loads != nil) {
			t.Errorf("%s: runs scripts %v, loads as a browser %v", name, one.Scripts, one.loads != nil)
		}
		for _, q := range []*Request{{}, {Dest: "image"}, {Method: "POST", Dest: "empty"}} {
			seen := map[string]bool{}
			for _, f := range one.lay(nil, q, overTLS) {
				if key := strings.ToLower(f.Name); seen[key] || f.Value == "" {
					t.Errorf("%s: %s is there twice or empty", name, f.Name)
				} else {
					seen[key] = true
				}
			}
			if !seen["host"] || !seen["user-agent"] && name != "random" {
				t.Errorf("%s: no Host or no User-Agent in %v", name, seen)
			}
		}
	}
	if _, err := Named("netscape", newRand(1)); err == nil || !strings.Contains(err.Error(), "want one of android, backup") {
		t.Errorf("error %v", err)
	}
}

func TestBrowserShares(t *testing.T) {
	const n = 20000
	counts, rng := map[string]int{}, newRand(3)
	for range n {
		s := Browser(rng)
		name, _, _ := strings.Cut(s.Name, " ")
		if strings.HasSuffix(s.Name, "Android") || strings.HasSuffix(s.Name, "ios") {
			name = s.Name[strings.LastIndexByte(s.Name, ' ')+1:]
		}
		counts[name]++
	}
	for name, want := range map[string]int{"chrome": 32, "Android": 28, "ios": 18, "firefox": 8, "edge": 8, "safari": 6} {
		if got := float64(counts[name]) / n * 100; got < float64(want)-1.5 || got > float64(want)+1.5 {
			t.Errorf("%s: %.1f %%, want %d %%", name, got, want)
		}
	}
}
