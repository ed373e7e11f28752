package wire

import (
	"fmt"
	"math/rand/v2"
)

// programs are software that is no browser, by the names that scenarios have for them.
var programs = map[string]func(*rand.Rand) *Software{
	"lynx": lynx, "feed": feed, "git": git, "curl": curl, "wget": wget, "python": python, "go": golang, "node": node, "java": java,
	"okhttp": okhttp, "crawler": crawler, "monitor": monitor, "webhook": webhook, "backup": backup, "random": random, "phone": phone,
}

var curlHTTP2 = &HTTP2{Settings: []Setting{{3, 100}, {4, 10485760}, {2, 0}}, Window: 1048510465, Pseudo: "msap"}

var okhttpHTTP2 = &HTTP2{Settings: []Setting{{4, 16777216}}, Window: 16711681, Pseudo: "mpas"}

var goHTTP2 = &HTTP2{Settings: []Setting{{2, 0}, {4, 4194304}, {6, 10485760}}, Window: 1073741824, Pseudo: "amps"}

var httpxHTTP2 = &HTTP2{Settings: []Setting{{1, 4096}, {2, 0}, {4, 65535}, {5, 16384}, {3, 100}, {6, 65536}}, Window: 16777216, Pseudo: "masp"}

var javaHTTP2 = &HTTP2{Settings: []Setting{{1, 16384}, {2, 0}, {3, 100}, {4, 16777216}, {5, 16384}}, Window: 33488897, Pseudo: "mpsa"}

// program is a software that sends these fields, given as names and values in turn.
func program(name string, hello hello, h2 *HTTP2, namesAndValues ...string) *Software {
	s := &Software{Name: name, Hello: Hello{kind: hello}, HTTP2: h2}
	for i := 0; i < len(namesAndValues); i += 2 {
		s.Fields = append(s.Fields, Field{namesAndValues[i], namesAndValues[i+1]})
	}
	return s
}

func lynx(rng *rand.Rand) *Software {
	language := one(rng, "en", "de, en;q=0.5", "fr, en;q=0.5")
	if rng.IntN(2) == 0 {
		return program("w3m", curlHello, nil, "User-Agent", "w3m/0.5.3+git20230121", "Accept", "text/html, text/*;q=0.5, image/*, application/*",
			"Accept-Encoding", "gzip, compress, bzip, bzip2, deflate", "Accept-Language", language, "Referer", "", "Cookie", "")
	}
	return program("lynx", gnutlsHello, nil, "Accept", "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
		"Accept-Encoding", "gzip, compress, bzip2", "Accept-Language", language, "User-Agent", "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.8.9",
		"Referer", "", "Cookie", "")
}

func feed(rng *rand.Rand) *Software {
	return one(rng,
		program("netnewswire", safariHello, safariHTTP2, "Accept", "application/rss+xml, application/atom+xml, application/json;q=0.9, application/xml;q=0.8",
			"User-Agent", "NetNewsWire (RSS Reader; https://netnewswire.com/)", "If-None-Match", "", "If-Modified-Since", "",
			"Accept-Language", "en-GB,en;q=0.9", "Accept-Encoding", "gzip, deflate, br", "Connection", "keep-alive"),
		program("freshrss", curlHello, curlHTTP2, "User-Agent", fmt.Sprintf("FreshRSS/1.27.%d (Linux; https://freshrss.org)", rng.IntN(3)),
			"Accept", "application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.7",
			"Accept-Encoding", "deflate, gzip, br, zstd", "If-None-Match", "", "If-Modified-Since", ""),
		program("miniflux", nativeHello, goHTTP2, "User-Agent", "Mozilla/5.0 (compatible; Miniflux/2.2.13; +https://miniflux.app)",
			"Accept", "application/xml,application/atom+xml,application/rss+xml,application/rdf+xml,application/feed+json,text/html,*/*;q=0.9",
			"If-Modified-Since", "", "If-None-Match", "", "Accept-Encoding", "br, gzip", "Connection", "close"),
		program("thunderbird", nssHello, firefoxHTTP2, "User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.5.0",
			"Accept", "application/rss+xml, application/xml, text/xml", "Accept-Language", "en-US,en;q=0.5", "Accept-Encoding", "gzip, deflate, br",
			"Connection", "keep-alive", "If-Modified-Since", "", "If-None-Match", ""),
	)
}

func git(rng *rand.Rand) *Software {
	version := one(rng, "2.39.5", "2.47.3", "2.51.0")
	return program("git "+version, gnutlsHello, curlHTTP2, "Host", "", "Authorization", "", "User-Agent", "git/"+version, "Content-Type", "",
		"Accept", "*/*", "Accept-Encoding", "deflate, gzip, br, zstd", "Pragma", "", "Git-Protocol", "", "Content-Length", "")
}

func curl(rng *rand.Rand) *Software {
	version := one(rng, "8.5.0", "8.14.1", "8.16.0")
	return program("curl "+version, curlHello, curlHTTP2, "Host", "", "Authorization", "", "User-Agent", "curl/"+version, "Accept", "*/*",
		"Range", "", "Referer", "", "Cookie", "", "Content-Length", "", "Content-Type", "")
}

func wget(rng *rand.Rand) *Software {
	version := one(rng, "1.21.3", "1.25.0")
	return program("wget "+version, gnutlsHello, nil, "Host", "", "User-Agent", "Wget/"+version, "Accept", "*/*", "Accept-Encoding", "identity",
		"Connection", "Keep-Alive", "Range", "")
}

func python(rng *rand.Rand) *Software {
	return one(rng,
		program("python-requests", pythonHello, nil, "Host", "", "User-Agent", fmt.Sprintf("python-requests/2.32.%d", 3+rng.IntN(3)),
			"Accept-Encoding", "gzip, deflate", "Accept", "*/*", "Connection", "keep-alive", "Cookie", "", "Content-Length", "", "Content-Type", "", "Authorization", ""),
		program("python-httpx", pythonHello, httpxHTTP2, "Host", "", "Accept", "*/*", "Accept-Encoding", "gzip, deflate", "Connection", "keep-alive",
			"User-Agent", "python-httpx/0.28.1", "Authorization", "", "Content-Length", "", "Content-Type", ""),
		program("aiohttp", pythonHello, nil, "Host", "", "Authorization", "", "Accept", "*/*", "Accept-Encoding", "gzip, deflate",
			"User-Agent", fmt.Sprintf("Python/3.%d aiohttp/3.12.15", 11+rng.IntN(3)), "Content-Length", "", "Content-Type", ""),
	)
}

func golang(*rand.Rand) *Software {
	return program("go", nativeHello, nil, "Host", "", "User-Agent", "Go-http-client/1.1", "Content-Length", "", "Authorization", "", "Content-Type", "",
		"Accept-Encoding", "gzip")
}

func node(rng *rand.Rand) *Software {
	return one(rng,
		program("axios", nodeHello, nil, "Accept", "application/json, text/plain, */*", "Content-Type", "", "Authorization", "",
			"User-Agent", fmt.Sprintf("axios/1.%d.0", 8+rng.IntN(5)), "Content-Length", "", "Accept-Encoding", "gzip, compress, deflate, br", "Host", "",
			"Connection", "keep-alive"),
		program("undici", nodeHello, nil, "Host", "", "Connection", "keep-alive", "Content-Type", "", "Authorization", "", "Accept", "*/*",
			"Accept-Language", "*", "Sec-Fetch-Mode", "cors", "User-Agent", "node", "Accept-Encoding", "gzip, deflate", "Content-Length", ""),
	)
}

func java(rng *rand.Rand) *Software {
	return program("java", javaHello, javaHTTP2, "Content-Length", "", "Host", "", "User-Agent", "Java-http-client/"+one(rng, "17.0.16", "21.0.8", "25"),
		"Authorization", "", "Content-Type", "", "Accept", "")
}

func okhttp(rng *rand.Rand) *Software {
	return program("okhttp", conscryptHello, okhttpHTTP2, "Accept", "application/json", "Authorization", "", "Content-Type", "", "Content-Length", "", "Host", "",
		"Connection", "Keep-Alive", "Accept-Encoding", "gzip", "User-Agent", "okhttp/"+one(rng, "4.12.0", "5.1.0", "5.2.1"))
}

func crawler(*rand.Rand) *Software {
	return program("searchbot", javaHello, okhttpHTTP2, "Host", "", "Connection", "keep-alive", "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
		"From", "searchbot@search.example", "User-Agent", "Mozilla/5.0 (compatible; Searchbot/2.1; +https://search.example/bot.html)",
		"Accept-Encoding", "gzip, deflate, br", "If-Modified-Since", "", "If-None-Match", "")
}

func monitor(rng *rand.Rand) *Software {
	return one(rng,
		program("uptime-kuma", nodeHello, nil, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "User-Agent", "Uptime-Kuma/2.0.2",
			"Accept-Encoding", "gzip, compress, deflate, br", "Host", "", "Connection", "close"),
		program("blackbox", nativeHello, goHTTP2, "Host", "", "User-Agent", "Blackbox Exporter/0.27.0", "Accept-Encoding", "gzip"),
		program("monitoring plugin", curlHello, nil, "Host", "", "User-Agent", "check_curl/v2.4.0 (monitoring-plugins 2.4.0, libcurl/8.14.1)", "Accept", "*/*",
			"Connection", "close"),
	)
}

func webhook(rng *rand.Rand) *Software {
	return one(rng,
		program("payhook", nativeHello, nil, "Host", "", "User-Agent", "Payhook/1.0 (+https://pay.example/docs/webhooks)", "Content-Length", "", "Accept", "*/*; q=0.5, application/xml",
			"Cache-Control", "no-cache", "Content-Type", "", "Payhook-Signature", "", "Accept-Encoding", "gzip"),
		program("payhook for java", javaHello, nil, "Content-Length", "", "Host", "", "User-Agent", "Payhook-Relay/3.4", "Accept", "*/*", "Content-Type", "", "Payhook-Signature", ""),
	)
}

func backup(rng *rand.Rand) *Software {
	return program("rclone", nativeHello, goHTTP2, "Host", "", "User-Agent", "rclone/v1."+one(rng, "68.2", "70.3", "71.1"), "Authorization", "", "Range", "", "Accept-Encoding", "gzip")
}

// phone draws an old one: Android 8 or 9, and a Chrome that its maker or its owner does not update.
func phone(rng *rand.Rand) *Software {
	version := one(rng, "69.0.3497.100", "74.0.3729.157", "80.0.3987.149", "83.0.4103.106")
	system := one(rng, "8.0.0; SM-G930F", "8.1.0; SM-J530F", "8.1.0; Moto G (5) Plus", "9; FIG-LX1", "9; SM-A530F")
	s := program("chrome "+version+" on an old phone", agedHello, agedHTTP2,
		"Connection", "keep-alive", "Content-Length", "", "Cache-Control", "", "Origin", "", "Upgrade-Insecure-Requests", "1", "Content-Type", "",
		"User-Agent", "Mozilla/5.0 (Linux; Android "+system+") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"+version+" Mobile Safari/537.36",
		"Sec-Fetch-Dest", "document", "Accept", chromiumHTML, "Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-User", "?1",
		"Referer", "", "Accept-Encoding", "gzip, deflate, br", "Accept-Language", one(rng, chromiumLanguages...), "Range", "", "Cookie", "",
		"If-None-Match", "", "If-Modified-Since", "")
	s.Scripts, s.loads = true, agedLoads
	return s
}

// random draws a software that wants to be like no other: a browser's name over fields in an order of its own, and a hello
// that is made up.
func random(rng *rand.Rand) *Software {
	b := Browser(rng)
	s := &Software{
		Name:  "random",
		Hello: Hello{kind: one(rng, chromiumHello, firefoxHello, safariHello, curlHello, conscryptHello), seed: rng.Uint64() | 1},
		HTTP2: &HTTP2{
			Settings: []Setting{{1, one[uint32](rng, 4096, 16384, 65536)}, {2, 0}, {3, uint32(100 + rng.IntN(900))}, {4, uint32(65535 + rng.IntN(6<<20))}, {6, uint32(65536 + rng.IntN(200000))}},
			Window:   uint32(1<<20 + rng.IntN(14<<20)),
			Pseudo:   one(rng, "masp", "mpas", "msap", "amps", "mspa", "pmas"),
		},
		Fields: append([]Field(nil), b.Fields...),
	}
	rng.Shuffle(len(s.HTTP2.Settings), func(i, j int) { s.HTTP2.Settings[i], s.HTTP2.Settings[j] = s.HTTP2.Settings[j], s.HTTP2.Settings[i] })
	rng.Shuffle(len(s.Fields), func(i, j int) { s.Fields[i], s.Fields[j] = s.Fields[j], s.Fields[i] })
	return s
}

// Tool returns an attack tool: n picks which. The first are libraries as they come, the others have settings of their
// own, as tools for hire have; two of them differ in hello and fields.
func Tool(n int, rng *rand.Rand) *Software {
	plain := []func(*rand.Rand) *Software{python, golang, node, curl, java, okhttp, wget}
	if n >= 0 && n < len(plain) {
		return plain[n](rng)
	}
	own := rand.New(rand.NewPCG(uint64(n), 0x7001)) // what makes it this tool, whoever draws it
	s := plain[own.IntN(len(plain))](own)
	s.Name = fmt.Sprintf("tool %d on %s", n, s.Name)
	s.Hello = Hello{kind: one(own, pythonHello, curlHello, nodeHello, javaHello, conscryptHello, gnutlsHello), seed: own.Uint64() | 1}
	s.Fields = disguise(own, s.Fields)
	return s
}

// disguise adds what tools add to look like a browser, and puts all in another order.
func disguise(rng *rand.Rand, fields []Field) []Field {
	b := Browser(rng)
	for _, f := range b.Fields {
		if f.Value == "" || f.Name == "TE" || rng.IntN(2) == 0 {
			continue
		}
		if i := indexField(fields, f.Name); i >= 0 {
			fields[i].Value = f.Value
			continue
		}
		fields = append(fields, f)
	}
	rng.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	return append(fields, Field{fmt.Sprintf("X-Requested-%02X", rng.IntN(256)), one(rng, "1", "XMLHttpRequest", "yes")})
}
