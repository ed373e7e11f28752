package h2

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	plainToken     = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	plainName      = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$")
	plainValue     = regexp.MustCompile(`^([^\x00-\x20\x7f]([^\x00-\x08\x0a-\x1f\x7f]*[^\x00-\x20\x7f])?)?$`)
	plainPath      = regexp.MustCompile(`^/[!"$-~]*$`)
	plainAuthority = regexp.MustCompile(`^([A-Za-z0-9._~-]+|\[([0-9A-Fa-f:.]+)\])(:([0-9]{1,5}))?$`)
	plainLength    = regexp.MustCompile(`^[0-9]+$`)
)

// plainRequest is the rules for requests written down as plainly as possible: what Server is compared with. ok is false
// if the request is malformed.
func plainRequest(section []Field, end, extended bool) (r Request, ok bool) {
	pseudo := make(map[string]string)
	hosts, lengths := []string(nil), 0
	r.Length, r.Priority = -1, Priority{Urgency: 3}
	var cookie []string
	at := -1
	for _, f := range section {
		switch {
		case !plainValue.MatchString(f.Value):
			return r, false
		case strings.HasPrefix(f.Name, ":"):
			if _, twice := pseudo[f.Name]; twice || len(hosts)+len(r.Fields)+len(cookie) > 0 {
				return r, false
			}
			pseudo[f.Name] = f.Value
			continue
		case !plainName.MatchString(f.Name):
			return r, false
		}
		switch strings.ReplaceAll(f.Name, "_", "-") {
		case "transfer-encoding":
			return r, false
		case "content-length":
			n, err := strconv.ParseInt(f.Value, 10, 64)
			if lengths++; f.Name != "content-length" || lengths > 1 || err != nil || !plainLength.MatchString(f.Value) {
				return r, false
			}
			r.Length = n
		}
		switch f.Name {
		case "connection", "keep-alive", "proxy-connection", "upgrade":
			return r, false
		case "priority":
			r.Priority = ParsePriority(f.Value)
		case "te":
			if strings.ToLower(f.Value) != "trailers" {
				return r, false
			}
		case "host":
			hosts = append(hosts, f.Value)
			continue
		case "cookie":
			if cookie = append(cookie, f.Value); len(cookie) > 1 {
				continue
			}
			at = len(r.Fields)
		}
		r.Fields = append(r.Fields, f)
	}
	if len(cookie) > 0 {
		r.Fields[at].Value = strings.Join(slices.DeleteFunc(cookie, func(crumb string) bool { return crumb == "" }), "; ")
	}
	if end && r.Length > 0 || r.Length >= 0 && pseudo[":method"] == "CONNECT" {
		return r, false
	}
	if r.End = end; end {
		r.Length = 0
	}
	return r, r.plainPseudo(pseudo, hosts, extended)
}

// plainPseudo checks the pseudo-header fields and Host.
func (r *Request) plainPseudo(pseudo map[string]string, hosts []string, extended bool) bool {
	want := []string{":method", ":path", ":scheme"}
	protocol, isExtended := pseudo[":protocol"]
	connect := pseudo[":method"] == "CONNECT" && !isExtended
	if connect {
		want = []string{":authority", ":method"}
	}
	if isExtended {
		if !extended || pseudo[":method"] != "CONNECT" || !plainToken.MatchString(protocol) {
			return false
		}
		want = append(want, ":protocol")
	}
	authority, named := pseudo[":authority"]
	var got []string
	for name := range pseudo {
		if name != ":authority" || connect {
			got = append(got, name)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(hosts) > 1 {
		return false
	}
	r.Method, r.Scheme, r.Path, r.Protocol = pseudo[":method"], pseudo[":scheme"], pseudo[":path"], protocol
	if !plainToken.MatchString(r.Method) || !connect && r.Scheme != "https" && r.Scheme != "http" ||
		!connect && !plainPath.MatchString(r.Path) && (r.Path != "*" || r.Method != "OPTIONS") {
		return false
	}
	if !named {
		if len(hosts) == 0 {
			return false
		}
		authority = hosts[0]
	}
	r.Authority = authority
	normal, ok := plainHost(authority, r.Scheme)
	for _, host := range hosts {
		other, good := plainHost(host, r.Scheme)
		ok = ok && good && other == normal
	}
	return ok
}

// plainHost is an authority in lower case and with its port.
func plainHost(s, scheme string) (normal string, ok bool) {
	m := plainAuthority.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	if m[2] != "" {
		if a, err := netip.ParseAddr(m[2]); err != nil || !a.Is6() {
			return "", false
		}
	}
	port := map[string]int{"http": 80, "https": 443}[scheme]
	if m[4] != "" {
		port, _ = strconv.Atoi(m[4])
	}
	return strings.ToLower(m[1]) + ":" + strconv.Itoa(port), port <= 65535
}
