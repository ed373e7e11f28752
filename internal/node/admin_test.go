package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seawall/seawall/internal/node/status"
	"github.com/seawall/seawall/internal/spec"
)

// bearer is the Authorization that opens a node's admin listener, as its data folder has it.
func bearer(t *testing.T, data string) string {
	t.Helper()
	token, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	return "Authorization: Bearer " + strings.TrimSpace(string(token))
}

// asked is what the admin listener answers.
type asked struct {
	status int
	header http.Header
	body   string
}

// askAdmin sends a request to a node's admin listener; fields are as in a head.
func askAdmin(t *testing.T, n *Node, method, target string, fields ...string) asked {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+n.Admin().String()+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return asked{answer.StatusCode, answer.Header, string(body)}
}

// routed starts a node from a file, with zones site and b, and one refusal of each of two hosts.
func routed(t *testing.T) (n *Node, token string) {
	t.Helper()
	f := newFiles(t)
	f.writeFile(f.path(), fmt.Sprintf(`node: {http: ['127.0.0.1:0'], https: [], admin: '127.0.0.1:0', data: %s, cache: {size: 8MiB, object: 1MiB}}
zones:
  - {name: site, hosts: [site.test], origin: {url: %q}}
  - {name: b, hosts: [b.test, '*.b.test'], origin: {url: %q}, lists: {deny: [127.0.0.0/8]}}
`, f.data, f.origin, f.origin))
	n, _ = f.open()
	at := n.Listening()[0].Address
	visit(t, at, "site.test", "/only", "Cache-Control: only-if-cached")
	hostile, err := net.Dial("tcp", at.String()) // as no client library would
	if err != nil {
		t.Fatal(err)
	}
	defer hostile.Close()
	io.WriteString(hostile, "GET /<script>alert(1)</script> HTTP/1.1\r\nHost: x.b.test\r\nConnection: close\r\n\r\n")
	if answer, err := io.ReadAll(hostile); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 403") {
		t.Fatalf("got %.100q, %v, want 403", answer, err)
	}
	recorded(t, n, "site", 1)
	recorded(t, n, "b", 1)
	return n, bearer(t, f.data)
}

func TestAdminRoutes(t *testing.T) {
	n, token := routed(t)
	secret := strings.TrimPrefix(token, "Authorization: Bearer ")
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:"+secret))
	const page, text, plainJSON, yaml = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json", "application/yaml"
	tests := []struct {
		method, target string
		accept         string
		status         int
		contentType    string
		want           string
	}{
		{"GET", "/", "text/html", 200, page, "<h1>seawall"},
		{"GET", "/", "", 200, page, "only-if-cached"},
		{"GET", "/?q=x.b&page=7", "", 200, page, "0 of 3"},
		{"HEAD", "/", "", 200, page, ""},
		{"GET", "/zones/site", "", 200, page, "<h1>site</h1>"},
		{"GET", "/zones/b", "", 200, page, "&lt;script&gt;"},
		{"GET", "/zones/-", "", 200, page, "<h1>no zone</h1>"},
		{"GET", "/zones/none", "", 404, text, "no zone of that name"},
		{"GET", "/api/status", "", 200, plainJSON, `"state":"serving"`},
		{"GET", "/api/zones/b", "", 200, plainJSON, `"name":"b","hosts":["b.test","*.b.test"]`},
		{"GET", "/api/zones/none", "", 404, text, "no zone of that name"},
		{"GET", "/api/refusals", "", 200, plainJSON, `"refusal":"denied"`},
		{"GET", "/api/refusals?zone=site&n=5", "", 200, plainJSON, `"refusal":"only-if-cached"`},
		{"GET", "/api/refusals?zone=none", "", 200, plainJSON, "[]\n"},
		{"GET", "/api/refusals?n=0", "", 400, text, "want a number from 1 to 1000"},
		{"GET", "/api/refusals?n=1001", "", 400, text, "want a number from 1 to 1000"},
		{"GET", "/api/refusals?n=x", "", 400, text, "want a number from 1 to 1000"},
		{"GET", "/metrics", "", 200, "", "seawall_build_info"},
		{"GET", "/explain/nonsense", "", 404, text, "not a request id"},
		{"GET", "/api/config", "", 200, yaml, "hosts: [b.test, \"*.b.test\"]"},
		{"GET", "/api/reload", "", 405, "", ""},
		{"POST", "/api/reload", "", 200, plainJSON, `{"time":`},
		{"POST", "/api/reload", "text/html", 303, "", ""},
		{"POST", "/", "", 405, "", ""},
		{"GET", "/nowhere", "", 404, text, "404"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.target+" "+tt.accept, func(t *testing.T) {
			for name, authorization := range map[string]string{"bearer": token, "basic": basic} {
				fields := []string{authorization}
				if tt.accept != "" {
					fields = append(fields, "Accept: "+tt.accept)
				}
				got := askAdmin(t, n, tt.method, tt.target, fields...)
				if contentType := got.header.Get("Content-Type"); got.status != tt.status || tt.contentType != "" && contentType != tt.contentType ||
					!strings.Contains(got.body, tt.want) {
					t.Errorf("%s: got %d, %s, %.300q, want %d, %s, %q", name, got.status, contentType, got.body, tt.status, tt.contentType, tt.want)
				}
				if strings.Contains(got.body, "<script") {
					t.Errorf("%s: a client's text is in the page as it was", name)
				}
				for field, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
					if value := got.header.Get(field); value != want {
						t.Errorf("%s: got %s: %q, want %q", name, field, value, want)
					}
				}
				if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; ") {
					t.Errorf("%s: got the policy %q", name, policy)
				}
			}
		})
	}
}

// TestAdminAuthorization: all but health checks is for those who have the token.
func TestAdminAuthorization(t *testing.T) {
	n, right := routed(t)
	wrong := []struct{ name, authorization string }{
		{"no token", ""},
		{"wrong token", right + "0"},
		{"half a token", right[:len(right)-1]},
		{"empty token", "Authorization: Bearer "},
		{"another scheme", strings.Replace(right, "Bearer", "Token", 1)},
		{"another password", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:admin"))},
		{"the token as a name", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(strings.TrimPrefix(right, "Authorization: Bearer ")+":"))},
	}
	private := []string{
		"GET /", "GET /zones/site", "GET /zones/none", "GET /explain/nonsense", "GET /metrics", "GET /api/status", "GET /api/zones/site",
		"GET /api/refusals", "GET /api/config", "POST /api/reload",
	}
	_, before, _ := n.Reloads()
	for _, tt := range wrong {
		t.Run(tt.name, func(t *testing.T) {
			var fields []string
			if tt.authorization != "" {
				fields = append(fields, tt.authorization)
			}
			for _, route := range private {
				method, target, _ := strings.Cut(route, " ")
				got := askAdmin(t, n, method, target, fields...)
				if got.status != 401 || got.header.Get("WWW-Authenticate") == "" || strings.Contains(got.body, "site") {
					t.Errorf("%s: got %d, %q, want 401, a challenge and nothing told", route, got.status, got.body)
				}
			}
			for target, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
				if got := askAdmin(t, n, "GET", target, fields...); got.status != 200 || got.body != want {
					t.Errorf("%s: got %d, %q, want %q", target, got.status, got.body, want)
				}
			}
		})
	}
	if _, after, _ := n.Reloads(); after != before {
		t.Errorf("got %d reloads, want %d", after, before)
	}
}

// TestForgery: another site can't have an operator's browser reload, though it sends the token along.
func TestForgery(t *testing.T) {
	n, token := routed(t)
	own := "http://" + n.Admin().String()
	tests := []struct {
		name   string
		fields []string
		status int
	}{
		{"no browser", nil, 200},
		{"own page", []string{"Origin: " + own, "Sec-Fetch-Site: same-origin"}, 200},
		{"own page, older browser", []string{"Origin: " + own}, 200},
		{"another site", []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}, 403},
		{"another site, older browser", []string{"Origin: https://evil.example"}, 403},
		{"another port of this host", []string{"Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"}, 403},
		{"a sandboxed frame", []string{"Origin: null"}, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, before, _ := n.Reloads()
			got := askAdmin(t, n, "POST", "/api/reload", append(tt.fields, token)...)
			_, after, _ := n.Reloads()
			if got.status != tt.status || (after > before) != (tt.status == 200) {
				t.Errorf("got %d, %q, %d reloads, want %d", got.status, got.body, after-before, tt.status)
			}
		})
	}
}

// TestReloadAsked: who asks for a reload hears what is wrong, and so does who looks at the page.
func TestReloadAsked(t *testing.T) {
	n, token := routed(t)
	path := n.source.path
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		status     int
		answer     string // what it says, as does the page
		usable     float64
		problems   float64
	}{
		{"a zone", strings.Replace(string(good), "denied", "", 1) + "  - {name: c, hosts: [c.test], origin: {url: 'ftp://a'}}\n", 200, "ftp://a", 1, 1},
		{"everything", "nonsense", 422, path, 0, 0},
		{"nothing", string(good), 200, "", 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got := askAdmin(t, n, "POST", "/api/reload", token)
			if got.status != tt.status || !strings.Contains(got.body, tt.answer) {
				t.Errorf("got %d, %q, want %d and %q", got.status, got.body, tt.status, tt.answer)
			}
			shown := askAdmin(t, n, "GET", "/", token).body
			if trouble := strings.Contains(shown, "To be mended"); trouble != (tt.answer != "") || !strings.Contains(shown, tt.answer) {
				t.Errorf("the page says trouble %v, want %q", trouble, tt.answer)
			}
			values := metricsOf(t, n, n.spec.Data)
			if values["seawall_config_last_reload_successful"] != tt.usable || values["seawall_config_problems"] != tt.problems || values["seawall_zones"] != 2 {
				t.Errorf("got usable %v, %v problems, %v zones, want %v, %v and 2", values["seawall_config_last_reload_successful"],
					values["seawall_config_problems"], values["seawall_zones"], tt.usable, tt.problems)
			}
		})
	}
}

// TestNoReload: a node that was not started from a file offers none.
func TestNoReload(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	n, _ := start(t, s, z)
	token := bearer(t, s.Data)
	if got := askAdmin(t, n, "POST", "/api/reload", token); got.status != 404 {
		t.Errorf("got %d, want 404", got.status)
	}
	if got := askAdmin(t, n, "GET", "/", token); strings.Contains(got.body, "/api/reload") {
		t.Error("the page has a button for it")
	}
	if got := askAdmin(t, n, "GET", "/api/config", token); got.status != 200 || !strings.Contains(got.body, "site.test") {
		t.Errorf("the configuration: got %d, %q", got.status, got.body)
	}
}

// TestShownConfig hides every secret, and changes nothing that is in force.
func TestShownConfig(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	s.HTTPS = []spec.Listener{{Address: "127.0.0.1:0"}}
	chain, key := pair(t, "node.test")
	zoneChain, zoneKey := pair(t, "site.test")
	s.Certificates = []spec.Certificate{{Chain: chain, Key: key}}
	s.ACME.Authorities = []spec.Authority{{Directory: "https://ca.test/directory", KeyID: "k1", HMAC: "c2VjcmV0LWhtYWM"}}
	s.TLS.ECH = []spec.ECH{{Config: "Y29uZmln", Key: "c2VjcmV0LWVjaA=="}}
	z.HTTPS.Certificates = []spec.Certificate{{Chain: zoneChain, Key: zoneKey}}
	z.Origin.TLS = spec.TLS{Certificate: chain, Key: key}
	z.Origin.Servers[0].URL = "https://127.0.0.1"
	z.Origin.Servers[0].TLS = &spec.TLS{Certificate: zoneChain, Key: zoneKey}
	n, _ := start(t, s, z)
	before := *n.snapshot.Specs()[0]
	got := askAdmin(t, n, "GET", "/api/config", bearer(t, s.Data))
	if got.status != 200 || strings.Count(got.body, "not shown") != 6 || !strings.Contains(got.body, "Y29uZmln") || !strings.Contains(got.body, "BEGIN CERTIFICATE") {
		t.Errorf("got %d, %s, want certificates and six secrets hidden", got.status, got.body)
	}
	for _, secret := range []string{"PRIVATE KEY", "c2VjcmV0LWhtYWM", "c2VjcmV0LWVjaA"} {
		if strings.Contains(got.body, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	if after := *n.snapshot.Specs()[0]; after.Origin.Servers[0].TLS.Key != zoneKey || after.HTTPS.Certificates[0].Key != zoneKey ||
		before.Origin.TLS.Key != key || n.Spec().ACME.Authorities[0].HMAC == "not shown" || n.Spec().TLS.ECH[0].Key == "not shown" || n.Spec().Certificates[0].Key != key {
		t.Error("what is in force has changed")
	}
}

// pair is a certificate of its own, for an hour, and its key.
func pair(t *testing.T, name string) (chain, key spec.PEM) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, Subject: pkix.Name{Organization: []string{"Test"}, CommonName: name},
		NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &secret.PublicKey, secret)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) spec.PEM {
		return spec.PEM(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", private)
}

// TestCertificatesShown: configured ones are on their zones' pages and in the metrics.
func TestCertificatesShown(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	s.HTTPS = []spec.Listener{{Address: "127.0.0.1:0"}}
	own, other := spec.Certificate{}, spec.Certificate{}
	own.Chain, own.Key = pair(t, "node.test")
	other.Chain, other.Key = pair(t, "site.test")
	s.Certificates = []spec.Certificate{own, {Chain: "nonsense", Key: "nonsense"}}
	z.HTTPS.Certificates = []spec.Certificate{other}
	n, _ := start(t, s, z)
	for range 2 { // the second time, they are remembered
		r := n.report("")
		if len(r.Certificates) != 2 || r.Certificates[0].Names[0] != "node.test" || r.Certificates[0].Issuer != "Test node.test" || r.Certificates[1].Problem == "" {
			t.Errorf("the node's: got %+v", r.Certificates)
		}
		if list := r.Zone("site").Certificates; len(list) != 1 || list[0].Names[0] != "site.test" || time.Until(list[0].NotAfter) > time.Hour {
			t.Errorf("the zone's: got %+v", list)
		}
	}
	values := metricsOf(t, n, s.Data)
	for _, name := range []string{"node.test", "site.test"} {
		end := time.Unix(int64(values[`seawall_certificate_not_after_seconds{name="`+name+`"}`]), 0)
		if left := time.Until(end); left < 50*time.Minute || left > time.Hour {
			t.Errorf("%s: got an end in %v, want in an hour", name, left)
		}
	}
}

// TestReady: a node that drains asks for no more visitors, while its admin listener still answers.
func TestReady(t *testing.T) {
	z, proceed := testZone(t)
	s := testNode(t)
	n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	if got := askAdmin(t, n, "GET", "/readyz"); got.status != 200 || got.body != "ready\n" {
		t.Errorf("got %d, %q, want ready", got.status, got.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Listening()[0].Address.String()+"/hold", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "site.test"
	held, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- n.Shutdown(context.Background()) }()
	for end := time.Now().Add(patience); ; runtime.Gosched() {
		got := askAdmin(t, n, "GET", "/readyz")
		if got.status == 503 && got.body == "draining\n" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("got %d, %q, want 503 and draining", got.status, got.body)
		}
	}
	if got := askAdmin(t, n, "GET", "/healthz"); got.status != 200 {
		t.Errorf("health: got %d, want 200", got.status)
	}
	if got := askAdmin(t, n, "GET", "/", bearer(t, s.Data)); !strings.Contains(got.body, `<span class="state down">draining</span>`) {
		t.Errorf("the page does not say draining")
	}
	close(proceed)
	io.Copy(io.Discard, held.Body)
	held.Body.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestReport says what the rooms know.
func TestReport(t *testing.T) {
	z, proceed := testZone(t)
	defer close(proceed)
	z.Limits.Requests = spec.Rate{Requests: 1, Per: time.Hour, Burst: 3}
	s := testNode(t)
	s.HTTP = append(s.HTTP, spec.Listener{Address: taken(t)})
	s.Log.Path = s.Data // a folder
	n, _ := start(t, s, z)
	at := n.Listening()[0].Address
	for _, target := range []string{"/a", "/a", "/b", "/c", "/d", "/e?x=1", "/e?x=2"} {
		visit(t, at, "site.test", target)
	}
	visit(t, at, "other.test", "/")
	recorded(t, n, "site", 7)
	recorded(t, n, "-", 1)
	n.sample(time.Now())
	r := n.report("")
	site := r.Zone("site")
	if site == nil || r.Zone(status.Unserved) == nil || len(r.Zones) != 2 {
		t.Fatalf("got zones %+v, want site and -", r.Zones)
	}
	if site.Requests != 7 || site.Status[2] != 4 || site.Status[4] != 3 || site.ByCache["hit"] != 1 || len(site.Refused) != 1 ||
		site.Refused[0].Reason != "request-limit" || site.Refused[0].Total != 3 || site.Now.Requests <= 0 || site.Now.HitRatio != 0.25 {
		t.Errorf("got %+v", site)
	}
	if len(site.Servers) != 1 || !site.Servers[0].Up || site.Servers[0].Requests != 3 || site.Servers[0].URL != z.Origin.Servers[0].URL {
		t.Errorf("got servers %+v", site.Servers)
	}
	if site.Budget.MaxConcurrent != 64 || site.Budget.MaxQueued != 2048 || site.Budget.Rate != "off" || site.Hosts[0] != "site.test" || site.DryRun {
		t.Errorf("got %+v", site)
	}
	var refused []string // in any order: ids of one millisecond have none
	for i := range r.Refusals {
		refused = append(refused, r.Refusals[i].Reason+" "+r.Refusals[i].Target)
	}
	if !slices.Contains(refused, "unknown-host /") || !slices.Contains(refused, "request-limit /e?x=2") || len(refused) != 4 || r.Looked != 4 ||
		len(r.Targets) != 1 || r.Targets[0] != (status.Share{Name: "site.test/e", Count: 2}) || r.Sources[0].Count != 4 {
		t.Errorf("got refusals %+v, %+v, %+v", r.Refusals, r.Targets, r.Sources)
	}
	if of := n.report("site"); len(of.Refusals) != 3 {
		t.Errorf("got %d refusals of the zone, want 3", len(of.Refusals))
	}
	if r.Connections.Max != 100 || r.Cache.Size != 8<<20 || r.Cache.Objects != 3 || len(r.Listening) != 1 || r.State != status.Serving {
		t.Errorf("got %+v, %+v, %v, %s", r.Connections, r.Cache, r.Listening, r.State)
	}
	if problems := strings.Join(r.Problems, "\n"); len(r.Problems) != 2 || !strings.Contains(problems, "of 2 addresses to listen on, 1") ||
		!strings.Contains(problems, "there is no access log") {
		t.Errorf("got problems %q", problems)
	}
}

// metricsOf reads the metrics, by name with labels.
func metricsOf(t *testing.T, n *Node, data string) map[string]float64 {
	t.Helper()
	status, header, body := visit(t, n.Admin(), "", "/metrics", bearer(t, data))
	if status != 200 || !strings.HasPrefix(header.Get("Content-Type"), "text/plain") {
		t.Fatalf("got %d, %q, want 200 as text", status, header.Get("Content-Type"))
	}
	values := map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		space := strings.LastIndexByte(line, ' ')
		if space < 0 {
			t.Fatalf("got the line %q, want a name and a value", line)
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if _, twice := values[line[:space]]; err != nil || twice {
			t.Fatalf("got the line %q, %v, want a number, once", line, err)
		}
		values[line[:space]] = value
	}
	return values
}

func TestMetrics(t *testing.T) {
	z, _ := testZone(t)
	z.Limits.Requests = spec.Rate{Requests: 1, Per: z.Limits.Requests.Per * 3600, Burst: 2}
	s := testNode(t)
	n, _ := start(t, s, z)
	at := n.Listening()[0].Address
	for _, target := range []string{"/a", "/a", "/b", "/c"} {
		visit(t, at, "site.test", target)
	}
	visit(t, at, "other.test", "/")
	recorded(t, n, "site", 4)
	recorded(t, n, "-", 1)
	server := func(what string) string {
		return fmt.Sprintf(`seawall_origin_server_%s{server=%q,zone="site"}`, what, z.Origin.Servers[0].URL)
	}
	got := metricsOf(t, n, s.Data)
	for name, want := range map[string]float64{
		`seawall_requests_total{status="2",zone="site"}`:                     3,
		`seawall_requests_total{status="4",zone="site"}`:                     1,
		`seawall_requests_total{status="4",zone="-"}`:                        1,
		`seawall_cache_requests_total{cache="hit",zone="site"}`:              1,
		`seawall_cache_requests_total{cache="miss",zone="site"}`:             2,
		`seawall_requests_refused_total{reason="request-limit",zone="site"}`: 1,
		`seawall_requests_refused_total{reason="unknown-host",zone="-"}`:     1,
		`seawall_requests_dry_total{zone="site"}`:                            0,
		`seawall_responses_broken_total{zone="site"}`:                        0,
		`seawall_origin_requests_total{zone="site"}`:                         2,
		`seawall_origin_concurrent_requests{zone="site"}`:                    0,
		`seawall_origin_queued_requests{zone="site"}`:                        0,
		`seawall_origin_upgraded_connections{zone="site"}`:                   0,
		`seawall_request_duration_seconds_count{zone="site"}`:                4,
		`seawall_request_duration_seconds_bucket{zone="site",le="+Inf"}`:     4,
		`seawall_origin_first_byte_seconds_count{zone="site"}`:               2,
		`seawall_origin_queue_seconds_count{zone="site"}`:                    0,
		`seawall_connections_refused_total{cause="source-full"}`:             0,
		`seawall_faults_total`:                                               0,
		`seawall_log_lines_lost_total`:                                       0,
		`seawall_cache_objects`:                                              2,
		`seawall_cache_evictions_total`:                                      0,
		`seawall_connections_max`:                                            100,
		`seawall_draining`:                                                   0,
		`seawall_zones`:                                                      1,
		`seawall_config_reloads_total{result="applied"}`:                     1,
		`seawall_config_reloads_total{result="refused"}`:                     0,
		`seawall_config_last_reload_successful`:                              1,
		`seawall_config_problems`:                                            0,
		`seawall_config_restart_needed`:                                      0,
		`seawall_origin_concurrent_requests_max{zone="site"}`:                64,
		`seawall_origin_queued_requests_max{zone="site"}`:                    2048,
		server("up"):                  1,
		server("concurrent_requests"): 0,
		server("requests_total"):      2,
		server("failures_total"):      0,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s: got %v (%v), want %v", name, value, ok, want)
		}
	}
	for _, name := range []string{`seawall_connections`, `seawall_cache_bytes`, `go_goroutines`, `process_open_fds`} {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is not there", name)
		}
	}
	if got[`seawall_response_body_bytes_total{zone="site"}`] < 6 {
		t.Errorf("got %v body bytes, want those of the pages", got[`seawall_response_body_bytes_total{zone="site"}`])
	}
}

// TestExplain asks about a refusal: on the admin listener and as a command, while the node runs and after it has ended.
func TestExplain(t *testing.T) {
	z, _ := testZone(t)
	s := testNode(t)
	n, err := Start(t.Context(), s, []spec.Zone{z}, new(events).logger())
	if err != nil {
		t.Fatal(err)
	}
	at := n.Listening()[0].Address
	_, header, _ := visit(t, at, "site.test", "/only", "Cache-Control: only-if-cached")
	refused := header.Get("X-Request-Id")
	_, header, _ = visit(t, at, "site.test", "/served")
	served := header.Get("X-Request-Id")

	recorded(t, n, "site", 2)

	status, _, body := visit(t, n.Admin(), "", "/explain/"+refused, bearer(t, s.Data))
	var x Explanation
	if err := json.Unmarshal([]byte(body), &x); err != nil || status != 200 || x.Entry == nil || x.Entry.Refusal != "only-if-cached" ||
		x.Refusal != "only-if-cached" || x.Zone != "site" {
		t.Errorf("got %d, %s, %v, want the refusal's entry", status, body, err)
	}
	shown := askAdmin(t, n, "GET", "/explain/"+refused, bearer(t, s.Data), "Accept: text/html,application/xhtml+xml,*/*;q=0.8")
	if shown.status != 200 || !strings.Contains(shown.body, `<th scope="row">refused<td class="text">only-if-cached by cache.only-if-cached`) {
		t.Errorf("a browser: got %d, %s, want the story as a page", shown.status, shown.body)
	}
	explain := func(data, admin, id string) (string, error) {
		x, err := Explain(t.Context(), data, admin, id)
		if err != nil {
			return "", err
		}
		var story strings.Builder
		err = x.Write(&story)
		return story.String(), err
	}
	tests := []struct {
		name, data, admin, id string
		want                  string // in the story or the error
		err                   bool
	}{
		{"refused", s.Data, "", refused, "only-if-cached by cache.only-if-cached", false},
		{"refused, as people copy it", s.Data, n.Admin().String(), " " + strings.ToUpper(refused) + "\n", "only-if-cached", false},
		{"only the id's beginning", s.Data, "", refused[:20], "only-if-cached", false},
		{"served", s.Data, "", served, "/served", false},
		{"forgotten", s.Data, "", older(served), "nothing is known", true},
		{"no id", s.Data, "", "nonsense", "not a request id", true},
		{"altered", s.Data, "", refused[:45] + otherEnd(refused), "altered", true},
		{"no data folder", t.TempDir(), "", refused, "no node answers", true},
		{"no token", t.TempDir(), n.Admin().String(), refused, "admin token", true},
	}
	check := func(name, data, admin, id, want string, fails bool) {
		t.Helper()
		story, err := explain(data, admin, id)
		if (err != nil) != fails {
			t.Errorf("%s: got %q, %v, want an error %v", name, story, err, fails)
		}
		if err != nil {
			story = err.Error()
		}
		if !strings.Contains(story, want) {
			t.Errorf("%s: got %q, want it to say %q", name, story, want)
		}
	}
	for _, tt := range tests {
		check(tt.name, tt.data, tt.admin, tt.id, tt.want, tt.err)
	}
	admin := n.Admin().String()
	if err := n.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("refused, after the end", s.Data, "", refused, "only-if-cached (as sealed in the id", false)
	check("refused, after the end, with an address", s.Data, admin, refused, "only-if-cached (as sealed in the id", false)
	check("served, after the end", s.Data, "", served, "carries no evidence", true)
	check("with another's key", otherKey(t), "", refused, "another key", true)

	again, _ := start(t, s, z)
	status, _, body = visit(t, again.Admin(), "", "/explain/"+refused, bearer(t, s.Data))
	if status != 200 || !strings.Contains(body, `"zone":"site"`) || !strings.Contains(body, `"refusal":"only-if-cached"`) {
		t.Errorf("the next start: got %d, %s, want zone and refusal out of the id", status, body)
	}
}

// older is an id that could have been made by another node a little earlier.
func older(id string) string { return id[:8] + strings.Repeat("0", len(id)-8) }

// otherEnd is a last character that an id has not.
func otherEnd(id string) string {
	if strings.HasSuffix(id, "0") {
		return "4"
	}
	return "0"
}

// otherKey is a data folder with another node's keys.
func otherKey(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	if _, err := openKeys(folder); err != nil {
		t.Fatal(err)
	}
	return folder
}
