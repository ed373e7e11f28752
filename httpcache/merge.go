package httpcache

import "strings"

// StoredFields appends the fields of a response that are kept with it (RFC 9111 §3.1): all but those for one connection
// or proxy, those that Connection names, and Age, whose value is in the metadata. A Date that was missing or broken is
// set. The strings are not copied: a caller that keeps them longer than the message they are part of clones them.
func (m *Metadata) StoredFields(dst, fields []Field) []Field {
	named := connectionOptions(fields)
	_, dated := dateField(fields, "Date", m.ResponseTime)
	for _, f := range fields {
		name := strings.ToLower(f.Name)
		if notStored(name) || named[name] || m.withholds(name) || name == "age" || name == "date" && !dated {
			continue
		}
		dst = append(dst, f)
	}
	if !dated {
		dst = append(dst, Field{"Date", formatDate(m.Date)})
	}
	return dst
}

// Merge returns the fields of a stored response updated by those of a 304 that freshens it (RFC 9111 §3.2), to be given
// to [Store] and [Metadata.StoredFields] like those of a new response. Fields that describe the stored content stay. Age
// and Date of the stored response go, because they were about the earlier message. A Set-Cookie in the 304 is for the
// client that caused it: it is merged only if the policy stores cookies.
func Merge(stored, notModified []Field, p Policy) []Field {
	named := connectionOptions(notModified)
	replaced := map[string]bool{"age": true, "date": true}
	var updates []Field
	for _, f := range notModified {
		name := strings.ToLower(f.Name)
		if notStored(name) || named[name] || describesContent(name) || name == "set-cookie" && !p.StoreSetCookie {
			continue
		}
		replaced[name] = true
		updates = append(updates, f)
	}
	merged := make([]Field, 0, len(stored)+len(updates))
	for _, f := range stored {
		if !replaced[strings.ToLower(f.Name)] {
			merged = append(merged, f)
		}
	}
	return append(merged, updates...)
}

// notStored names the fields that are for one connection (RFC 9110 §7.6.1) or one proxy (RFC 9111 §3.1).
func notStored(lower string) bool {
	switch lower {
	case "connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade",
		"proxy-authenticate", "proxy-authentication-info", "proxy-authorization":
		return true
	}
	return false
}

// describesContent names the fields that are about the bytes that were stored, which a 304 does not change.
func describesContent(lower string) bool {
	switch lower {
	case "content-length", "content-encoding", "content-range", "content-md5", "content-digest":
		return true
	}
	return false
}

// connectionOptions returns the names listed in Connection in lower case; nil if there are none.
func connectionOptions(fields []Field) map[string]bool {
	var named map[string]bool
	for line := range lines(fields, "Connection") {
		for line != "" {
			option, rest, _ := cutElement(line)
			line = rest
			if named == nil {
				named = make(map[string]bool)
			}
			named[strings.ToLower(option)] = true
		}
	}
	return named
}
