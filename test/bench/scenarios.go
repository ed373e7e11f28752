package main

// A scenario is one kind of request, asked of every server in the same way.
type scenario struct {
	name      string
	about     string
	size      int  // of the body, in bytes
	cacheable bool // the servers answer it from their cache; else they ask the origin every time
	tls       bool // 1.3, AES-128-GCM, X25519, ECDSA P-256, no tickets
}

var scenarios = []scenario{
	{name: "hit-1k", about: "1 KiB from the cache", size: 1 << 10, cacheable: true},
	{name: "pass-1k", about: "1 KiB that may not be stored, from the origin", size: 1 << 10},
	{name: "hit-64k", about: "64 KiB from the cache", size: 64 << 10, cacheable: true},
	{name: "tls-hit-1k", about: "1 KiB from the cache over TLS 1.3", size: 1 << 10, cacheable: true, tls: true},
}

func scenarioNames() []string {
	names := make([]string, len(scenarios))
	for i, s := range scenarios {
		names[i] = s.name
	}
	return names
}
