package rules_test

import "testing"

func TestExplain(t *testing.T) {
	f := compile(t, `not ssl or lower(http.host) eq "www.example.com" and
any(lower(http.request.headers.names[*])[*] in {"cookie"}) and (http.user_agent eq "x" or ip.src.asnum gt 5)`)
	want := `not ssl or lower(http.host) eq "www.example.com" and any(lower(http.request.headers.names[*])[*] in {"cookie"}) and (http.user_agent eq "x" or ip.src.asnum gt 5) = true
  not ssl = false
    ssl = true
  lower(http.host) eq "www.example.com" and any(lower(http.request.headers.names[*])[*] in {"cookie"}) and (http.user_agent eq "x" or ip.src.asnum gt 5) = true
    lower(http.host) eq "www.example.com" = true
      lower(http.host) = "www.example.com"
        http.host = "www.Example.com"
    any(lower(http.request.headers.names[*])[*] in {"cookie"}) = true
      lower(http.request.headers.names[*])[*] in {"cookie"} = [false, true, false, false]
        lower(http.request.headers.names[*])[*] = ["accept", "cookie", "accept", "empty"]
          lower(http.request.headers.names[*]) = ["accept", "cookie", "accept", "empty"]
            http.request.headers.names[*] = ["Accept", "Cookie", "accept", "empty"]
    http.user_agent eq "x" or ip.src.asnum gt 5 = true
      http.user_agent eq "x" = false
        http.user_agent = missing
      ip.src.asnum gt 5 = true
        ip.src.asnum = 64500
`
	if got := f.Explain(machine(t, visit())).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
