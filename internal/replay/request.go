package replay

import (
	"hash/fnv"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
	"github.com/seawall/seawall/prefixes"
)

// Asked is what a log leaves open.
type Asked struct {
	Scheme string // "http" or "https"
	Host   string
}

// fill makes a request of a line. It is valid as long as the line is; its fields are q's, used again.
func (a *Asked) fill(q *flow.Request, l *Line) error {
	authority, target := l.Host, l.Target
	if scheme, rest, ok := strings.Cut(target, "://"); ok && !strings.HasPrefix(target, "/") && scheme != "" {
		slash := strings.IndexAny(rest, "/?")
		if slash < 0 {
			rest, slash = rest+"/", len(rest)
		}
		authority, target = rest[:slash], rest[slash:]
	}
	if authority == "" {
		authority = a.Host
	}
	fields := q.Fields[:0]
	*q = flow.Request{
		Received: l.Time, Client: address(l), Proto: l.Proto, Scheme: l.Scheme, Method: l.Method,
		Authority: authority, Host: flow.NormalHost(authority), Target: l.Target,
	}
	if q.Scheme == "" {
		q.Scheme = a.Scheme
	}
	q.Source = prefixes.Source(q.Client)
	var ok bool
	before, query, hasQuery := strings.Cut(target, "?")
	q.Query, q.HasQuery = query, hasQuery
	if q.Path, ok = flow.NormalPath(before); !ok {
		return mistake("the path of %.64q has an escape that is none: every zone refuses that", l.Target)
	}
	if q.Path[0] != '/' && (q.Path != "*" || l.Method != http.MethodOptions) {
		return mistake("the target %.64q is no path", l.Target)
	}
	q.Fields = append(fields, flow.Field{Name: "Host", Value: authority})
	if l.Agent != "" {
		q.Fields = append(q.Fields, flow.Field{Name: "User-Agent", Value: l.Agent})
	}
	if l.Referer != "" {
		q.Fields = append(q.Fields, flow.Field{Name: "Referer", Value: l.Referer})
	}
	return nil
}

// respond is the response that a line tells of.
func (l *Line) respond() *flow.Message {
	return &flow.Message{
		Status: l.Status, Length: l.Bytes, Fields: []flow.Field{{Name: "Content-Length", Value: strconv.FormatInt(l.Bytes, 10)}},
	}
}

// toOrigin tells whether the request would reach the origin: as the log says, or else unless it is for a file of a kind that is cached.
func (l *Line) toOrigin(q *flow.Request, z *spec.Zone) bool {
	if l.Origin != unknown {
		return l.Origin == reached
	}
	cacheable := q.Method == http.MethodGet || q.Method == http.MethodHead
	extension := strings.TrimPrefix(path.Ext(q.Path), ".")
	return !cacheable || !slices.Contains(z.Cache.Static.Extensions, extension)
}

// address is a client's, or stands for one: for each visitor of a network one in it, and for each name one of those that are for
// documentation (RFC 3849).
func address(l *Line) netip.Addr {
	if addr, err := netip.ParseAddr(l.Client); err == nil {
		return addr.Unmap().WithZone("")
	}
	if with, err := netip.ParseAddrPort(l.Client); err == nil {
		return with.Addr().Unmap().WithZone("")
	}
	if network, err := netip.ParsePrefix(l.Client); err == nil {
		return inside(network, hash(l.Visitor))
	}
	return inside(netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8}), 32), hash(l.Client))
}

func hash(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // which never fails
	return h.Sum64()
}

// inside is an address in a network of whole bytes, whose part behind the network is h's bits: of IPv6 those of the /64.
func inside(network netip.Prefix, h uint64) netip.Addr {
	b := network.Addr().AsSlice()
	for i := network.Bits() / 8; i < min(len(b), 8); i++ {
		b[i] |= byte(h)
		h >>= 8
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}
