package cache

import (
	"fmt"
	"strings"

	"github.com/seawall/seawall/httpcache"
	"github.com/seawall/seawall/internal/flow"
	"github.com/seawall/seawall/internal/spec"
)

// compression is a zone's wishes about coded forms. The zero value wants none.
type compression struct {
	order     []httpcache.Coding
	offered   httpcache.CodingSet
	minLength int64
	unstored  bool                // what is not stored is coded, too
	types     map[string]struct{} // lower case; "text/" stands for "text/*"
}

func compileCompression(s *spec.Compression) (c compression, err error) {
	if s.MinLength < 0 {
		return c, fmt.Errorf("compression.min_length: %d is negative: want 0 or more", s.MinLength)
	}
	c.unstored = s.Unstored
	c.minLength, c.types = int64(s.MinLength), make(map[string]struct{}, len(s.Types))
	for i, name := range s.Codings {
		coding, ok := httpcache.ParseCoding(name)
		switch {
		case !ok || coding == httpcache.Identity:
			return c, fmt.Errorf("compression.codings[%d]: %q is no coding: want some of %s", i, name, strings.Join(spec.Codings(), ", "))
		case c.offered.Has(coding):
			return c, fmt.Errorf("compression.codings[%d]: %q stands there twice", i, name)
		}
		c.order, c.offered = append(c.order, coding), c.offered.With(coding)
	}
	for i, name := range s.Types {
		kind, subtype, ok := strings.Cut(strings.ToLower(name), "/")
		if !ok || kind == "" || subtype == "" {
			return c, fmt.Errorf("compression.types[%d]: %q is no media type: want one such as text/html, or text/*", i, name)
		}
		if subtype == "*" {
			subtype = ""
		}
		c.types[kind+"/"+subtype] = struct{}{}
	}
	if !s.Enabled {
		return compression{}, nil
	}
	return c, nil
}

// maxCoded bounds the bodies that are encoded, in bytes: a worker has to hold such a body, and to take its time.
const maxCoded = 16 << 20

// fits tells whether a body is neither too short for a form nor too long.
func (c *compression) fits(length int64) bool { return length >= c.minLength && length <= maxCoded }

// applies tells whether a response is one of those that get coded forms. Its length is -1 if that is not known yet.
func (c *compression) applies(status int, fields []flow.Field, length int64) bool {
	if c.offered == 0 || length >= 0 && !c.fits(length) || !c.compressible(fields) {
		return false
	}
	return httpcache.Transformable(&httpcache.Response{Status: status, Fields: fields})
}

// compressible looks at Content-Type. One that is missing, or repeated, may mean anything.
func (c *compression) compressible(fields []flow.Field) bool {
	var value string
	for i := range fields {
		if flow.Named(fields[i].Name, "content-type") {
			if value != "" {
				return false
			}
			value = fields[i].Value
		}
	}
	value, _, _ = strings.Cut(value, ";")
	value = strings.ToLower(strings.Trim(value, " \t"))
	if _, ok := c.types[value]; ok {
		return true
	}
	_, ok := c.types[value[:strings.IndexByte(value, '/')+1]]
	return ok
}
