package flow

// Get returns the first value of the named field, or ""; name is in lower case.
func Get(fields []Field, name string) string {
	for i := range fields {
		if Named(fields[i].Name, name) {
			return fields[i].Value
		}
	}
	return ""
}

// Named compares a field's name to one in lower case, as HTTP compares names (RFC 9110 §5.1).
func Named(name, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
