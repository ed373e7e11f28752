package spec

import "strings"

// Token is a name as a token of RFC 9110 §5.6.2, for fields in which the node names itself.
func Token(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '.', r == '_':
			return r
		}
		return '-'
	}, name)
}

// CDNLoop is how the node names itself in CDN-Loop (RFC 8586).
func CDNLoop(n *Node) string { return "seawall-" + Token(n.Name) }
