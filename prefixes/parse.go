package prefixes

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

const (
	maxLine   = 4096 // bytes of a line of a list, comment and all
	maxErrors = 10   // errors of a list that are told at once
	maxQuote  = 64   // bytes of a mistake that are quoted in an error
)

// Parse parses an address (meaning itself alone) or a prefix in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3). A prefix
// must have no host bits set, and an address no zone.
func Parse(s string) (netip.Prefix, error) {
	if strings.IndexByte(s, '/') < 0 || strings.IndexByte(s, '%') >= 0 { // in a zone, a slash is none
		if addr, err := netip.ParseAddr(s); err == nil {
			if addr.Zone() != "" {
				zone, _, _ := strings.Cut(addr.Zone(), "/")
				return netip.Prefix{}, fmt.Errorf("%s has a zone: leave out %s", quote(s), quote("%"+zone))
			}
			addr = addr.Unmap()
			return netip.PrefixFrom(addr, addr.BitLen()), nil
		}
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, explain(s)
	}
	p = unmap(p)
	switch addr := p.Addr(); {
	case addr.Is4In6() && p.Bits() <= addr.Unmap().BitLen():
		return netip.Prefix{}, fmt.Errorf("%s has an IPv4-mapped address but is shorter than /%d: did you mean %v?",
			quote(s), mappedBits, netip.PrefixFrom(addr.Unmap(), p.Bits()).Masked())
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%s has host bits set: did you mean %v, or %v alone?", quote(s), p.Masked(), addr)
	}
	return p, nil
}

// explain says what would be right instead of s, which is neither an address nor a prefix.
func explain(s string) error {
	if host, err := netip.ParseAddrPort(s); err == nil {
		return fmt.Errorf("%s has a port: did you mean %v?", quote(s), host.Addr().WithZone(""))
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			return fmt.Errorf("%s has brackets: did you mean %v?", quote(s), addr.WithZone(""))
		}
	}
	head, length, ok := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(head)
	if !ok || err != nil {
		return fmt.Errorf("%s is not an address or prefix, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32", quote(s))
	}
	if mask, err := netip.ParseAddr(length); err == nil && addr.Is4() {
		if n, ok := maskBits(mask); ok {
			return fmt.Errorf("%s has a netmask: did you mean %v?", quote(s), netip.PrefixFrom(addr, n).Masked())
		}
	}
	if n, err := strconv.ParseUint(length, 10, 31); err == nil && n > uint64(addr.BitLen()) {
		return fmt.Errorf("%s has a prefix length above %d", quote(s), addr.BitLen())
	}
	return fmt.Errorf("%s has no prefix length from 0 to %d after the slash", quote(s), addr.BitLen())
}

// maskBits returns the number of leading ones of an IPv4 netmask, and whether it has none after them.
func maskBits(mask netip.Addr) (int, bool) {
	if !mask.Is4() {
		return 0, false
	}
	b := mask.As4()
	m := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	return bits.LeadingZeros32(^m), -m&^m == 0
}

func quote(s string) string {
	if len(s) > maxQuote {
		return strconv.Quote(s[:maxQuote]) + "…"
	}
	return strconv.Quote(s)
}

// ParseList reads at most most prefixes or addresses, one a line, as Parse does. Space around them, empty lines, and
// comments from # or ; to the end of the line are skipped. Mistakes are reported as name:line: what is wrong, up to 10 of
// them joined in one error; with any, no prefixes are returned.
func ParseList(name string, r io.Reader, most int) ([]netip.Prefix, error) {
	var list []netip.Prefix
	var errs []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 1
	for ; lines.Scan(); n++ {
		entry := lines.Text()
		if i := strings.IndexAny(entry, "#;"); i >= 0 {
			entry = entry[:i]
		}
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if len(list) == most {
			errs = append(errs, fmt.Errorf("%s:%d: more than %d prefixes", name, n, most))
			break
		}
		p, err := Parse(entry)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", name, n, err))
			if len(errs) == maxErrors {
				errs = append(errs, fmt.Errorf("%s: stopped after %d mistakes", name, maxErrors))
				break
			}
			continue
		}
		list = append(list, p)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		errs = append(errs, fmt.Errorf("%s:%d: line of more than %d bytes", name, n, maxLine-1))
	} else if err != nil {
		errs = append(errs, fmt.Errorf("%s:%d: %w", name, n, err))
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return list, nil
}
