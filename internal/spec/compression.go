package spec

// Compression says which responses are sent compressed to clients that accept it. What the origin has compressed itself passes as it is.
type Compression struct {
	// Enabled compresses at all.
	Enabled bool `yaml:"enabled"`
	// Codings are those that clients may get. Of those that a client accepts equally, the first counts.
	Codings []string `yaml:"codings"`
	// Unstored compresses what is not stored, too, on its way, at a fast level, while the node has no more important work. Pages that show
	// a visitor's secrets beside what anybody could have put into their address may be guessed at by their length then (BREACH): false
	// is for them, or a rule.
	Unstored bool `yaml:"unstored"`
	// MinLength is how long a body has to be at least, where that is known before.
	MinLength Size `yaml:"min_length"`
	// Types are the media types of what is compressed: "text/html", or "text/*" for all of a kind.
	Types []string `yaml:"types"`
}

// Codings are the content codings that there are, by their names in Content-Encoding.
func Codings() []string { return []string{"br", "zstd", "gzip"} }

// defaultCompression prefers the coding whose forms are the smallest (see internal/cache/coding), and has the types that Cloudflare
// compresses, of those that still are in use.
func defaultCompression() Compression {
	return Compression{
		Enabled:   true,
		Unstored:  true,
		Codings:   Codings(),
		MinLength: 1 << 10,
		Types: []string{
			"text/html", "text/plain", "text/css", "text/javascript", "text/xml", "text/markdown", "text/x-component", "text/x-markdown", "text/richtext",
			"application/javascript", "application/x-javascript", "application/json", "application/xml", "application/xhtml+xml",
			"application/rss+xml", "application/atom+xml", "application/manifest+json", "application/ld+json", "application/geo+json",
			"application/graphql+json", "application/vnd.api+json", "application/wasm", "application/x-protobuf",
			"image/svg+xml", "image/x-icon", "image/vnd.microsoft.icon",
			"font/ttf", "font/otf", "application/vnd.ms-fontobject", "application/font-sfnt",
		},
	}
}
