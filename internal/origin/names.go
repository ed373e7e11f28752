package origin

// kind says what becomes of a request field on its way to the origin.
type kind uint8

const (
	kept kind = iota
	// hop: it belongs to the client's connection, or we write it ourselves (RFC 9110 §7.6.1).
	hop
	// connection names further fields of the client's connection.
	connection
	te
	trailer
	// condition: the cache asks for the whole response and has conditions of its own (RFC 9111 §4.3.1).
	condition
	// unkeyed: some frameworks take it for the host or the method, and no response says that it varies by it. It is not sent for the cache.
	unkeyed
	// encodings: the cache asks for what suits all requests that it answers with the response.
	encodings
	// claim: it says who the client is or what it asked for, which we know better, unless a trusted proxy passed it on.
	claim
	forwarded
	forwardedFor
	forwardedHost
	forwardedProto
)

// classify tells the kind of the named field. "_" counts as "-", because CGI and its descendants make one name of both:
// X_Real_IP must not get past a rule for X-Real-IP.
//
// If-Match and If-Unmodified-Since are no conditions in this sense: a cache has no say in them (RFC 9111 §4.3.2).
func classify(name string) kind {
	switch len(name) {
	case 2:
		return te.when(name, "te")
	case 4:
		return hop.when(name, "host")
	case 5:
		if same(name, "range") {
			return condition
		}
		return hop.when(name, "proxy") // CGI makes HTTP_PROXY of it, which programs take for their own setting
	case 6:
		return max(hop.when(name, "expect"), unkeyed.when(name, "x-host"))
	case 7:
		if same(name, "trailer") {
			return trailer
		}
		return hop.when(name, "upgrade")
	case 8:
		return condition.when(name, "if-range")
	case 9:
		if same(name, "forwarded") {
			return forwarded
		}
		return claim.when(name, "x-real-ip", "client-ip")
	case 10:
		if same(name, "connection") {
			return connection
		}
		return hop.when(name, "keep-alive")
	}
	return classifyLong(name)
}

// classifyLong is classify for names of more than ten bytes.
func classifyLong(name string) kind {
	const prefix = "x-forwarded-" // -port, -server, -scheme, -ssl, -prefix …
	if len(name) > len(prefix) && same(name[:len(prefix)], prefix) {
		switch {
		case same(name, "x-forwarded-for"):
			return forwardedFor
		case same(name, "x-forwarded-host"):
			return forwardedHost
		case same(name, "x-forwarded-proto"):
			return forwardedProto
		}
		return claim
	}
	switch len(name) {
	case 11:
		return claim.when(name, "x-client-ip", "x-forwarded")
	case 12:
		return max(hop.when(name, "x-request-id"), unkeyed.when(name, "cf-ipcountry"))
	case 13:
		if same(name, "if-none-match") {
			return condition
		}
		return max(claim.when(name, "x-rewrite-url", "forwarded-for"), unkeyed.when(name, "x-http-method", "x-device-type"))
	case 14:
		if same(name, "content-length") || same(name, "http2-settings") {
			return hop
		}
		return claim.when(name, "true-client-ip", "x-original-url")
	case 15:
		return max(unkeyed.when(name, "x-original-host"), encodings.when(name, "accept-encoding"))
	case 16:
		if same(name, "proxy-connection") {
			return hop
		}
		return claim.when(name, "cf-connecting-ip", "x-originating-ip", "fastly-client-ip")
	case 17:
		if same(name, "if-modified-since") {
			return condition
		}
		return max(hop.when(name, "transfer-encoding"), unkeyed.when(name, "x-method-override"))
	case 18:
		return hop.when(name, "proxy-authenticate")
	case 19:
		if same(name, "proxy-authorization") {
			return hop
		}
		return claim.when(name, "x-cluster-client-ip")
	case 22:
		return unkeyed.when(name, "x-http-method-override")
	}
	return kept
}

// when returns k if name is one of those given, else kept.
func (k kind) when(name string, lower ...string) kind {
	for _, l := range lower {
		if same(name, l) {
			return k
		}
	}
	return kept
}

// same compares a name to one in lower case with "-", in any case and with "_" for "-".
func same(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := range len(name) {
		if folded(name[i]) != lower[i] {
			return false
		}
	}
	return true
}

func folded(c byte) byte {
	switch {
	case c-'A' < 26:
		return c | 0x20
	case c == '_':
		return '-'
	}
	return c
}

// fold brings a name into the form that same compares to.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = folded(c)
	}
	return string(b)
}
