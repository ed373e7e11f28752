package rules

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// literal reads one literal; right of matches, quoted strings keep their escapes.
func (p *parser) literal(regex bool) (*literal, error) {
	if p.literals++; p.literals > MaxLiterals {
		return nil, p.errorf("more than %d literals: want a list with a name", MaxLiterals)
	}
	l := &literal{span: span{p.start, p.end}, regex: regex}
	var err error
	switch {
	case p.kind == stringToken:
		err = p.stringLiteral(l)
	case p.kind == numberToken:
		err = p.numberLiteral(l)
	case p.kind == wordToken && (p.lexeme() == "true" || p.lexeme() == "false"):
		l.kind, l.truth = boolLiteral, p.lexeme() == "true"
	default:
		err = p.errorf("found %s: want a value", p.found())
	}
	if err != nil {
		return nil, err
	}
	return l, p.next()
}

func (p *parser) stringLiteral(l *literal) error {
	text := p.lexeme()
	l.kind = bytesLiteral
	if open := rawQuote(text); open > 0 {
		l.raw, l.hashes = true, open-2
		l.bytes = text[open : len(text)-1-l.hashes]
		return nil
	}
	text = text[1 : len(text)-1]
	if l.regex {
		l.bytes = unescapeQuotes(text)
		return nil
	}
	bytes, at, err := unescape(text)
	if err != nil {
		return errorAt(p.text, p.start+1+at, "%s", err)
	}
	l.bytes = bytes
	return nil
}

// unescapeQuotes undoes the only escape of a quoted regular expression that is not the regular expression's own.
func unescapeQuotes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if i++; s[i] != '"' {
				b.WriteByte('\\')
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unescape reads \" \\ \xHH and \OOO. With an error it says where.
func unescape(s string) (text string, at int, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		digits, base := "", 0
		switch rest := s[i+1:]; { // scanString left no \ at the end
		case rest[0] == '"' || rest[0] == '\\':
			b.WriteByte(rest[0])
			i++
			continue
		case rest[0] == 'x':
			digits, base = rest[1:min(3, len(rest))], 16
		case '0' <= rest[0] && rest[0] <= '7':
			digits, base = rest[:min(3, len(rest))], 8
		}
		c, err := strconv.ParseUint(digits, max(base, 2), 8)
		if err != nil || base == 16 && len(digits) != 2 || base == 8 && len(digits) != 3 {
			return "", i, errors.New(`found an unknown escape: want \", \\, \xHH or \OOO, or a raw string r"…"`)
		}
		b.WriteByte(byte(c))
		i += 3
	}
	return b.String(), 0, nil
}

func (p *parser) numberLiteral(l *literal) (err error) {
	text := p.lexeme()
	switch {
	case strings.Contains(text, "/"):
		return p.prefixLiteral(l, text)
	case strings.ContainsAny(text, ".:"):
		l.kind = ipLiteral
		l.from, err = netip.ParseAddr(text)
		if err != nil || l.from.Zone() != "" {
			return p.errorf("%s is no IP address", p.found())
		}
		l.from = l.from.Unmap()
		return nil
	}
	l.kind = intLiteral
	l.lo, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		return p.errorf("%s is no integer of 64 bits", p.found())
	}
	if digits := strings.TrimPrefix(text, "-"); digits[0] == '0' && len(digits) > 1 {
		return p.errorf("%s has a leading zero: want %d", p.found(), l.lo)
	}
	return nil
}

func (p *parser) prefixLiteral(l *literal, text string) (err error) {
	l.kind = prefixLiteral
	l.prefix, err = netip.ParsePrefix(text)
	if err != nil {
		return p.errorf("%s is no IP prefix", p.found())
	}
	if addr := l.prefix.Addr(); addr.Is4In6() && l.prefix.Bits() >= 96 {
		l.prefix = netip.PrefixFrom(addr.Unmap(), l.prefix.Bits()-96)
	}
	if l.prefix != l.prefix.Masked() {
		return p.errorf("%s has bits behind its length: want %s", p.found(), l.prefix.Masked())
	}
	return nil
}
