package rules

import (
	"slices"
	"strings"

	"github.com/seawall/seawall/rules"
)

// field is one that expressions may read, and how a flow has it.
type field struct {
	rules.Field
	value func(s *source) rules.Value
}

// allFields are those that there are, by Cloudflare's names, with what only we have under names of our own.
func allFields() []field {
	return slices.Concat(requestFields(), rawFields(), headerFields(), connectionFields(), certificateFields(), knownFields(), bodyFields(), multipartFields(), responseFields())
}

const (
	listCost = 150 // ns to take a header or a query apart
	madeCost = 60  // to make a text
)

func multimapType() rules.Type { return rules.MapOf(rules.ArrayOf(rules.Bytes)) }
func arrayType() rules.Type    { return rules.ArrayOf(rules.Bytes) }

func head(name string, t rules.Type, cost int, value func(*source) rules.Value, aliases ...string) field {
	return field{rules.Field{Name: name, Aliases: aliases, Type: t, Cost: cost, Phase: rules.Head}, value}
}

// requestFields are the request line and the target, in their normal form, as transforms have left them.
func requestFields() []field {
	return []field{
		head("http.host", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.request.Host) }),
		head("http.request.method", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.request.Method) }),
		head("http.request.version", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(version(s.request.Proto)) }),
		head("http.request.uri.path", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.request.Path) }),
		head("http.request.uri.path.extension", rules.Bytes, 10, func(s *source) rules.Value { return rules.BytesValue(extension(s.request.Path)) }),
		head("http.request.uri.query", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.request.Query) }),
		head("http.request.uri", rules.Bytes, madeCost, func(s *source) rules.Value {
			return rules.BytesValue(uri(s.request.Path, s.request.Query, s.request.HasQuery))
		}),
		head("http.request.full_uri", rules.Bytes, madeCost, func(s *source) rules.Value {
			return rules.BytesValue(s.request.Scheme + "://" + s.request.Authority + uri(s.request.Path, s.request.Query, s.request.HasQuery))
		}),
		head("http.request.uri.args", multimapType(), listCost, func(s *source) rules.Value { return s.argumentMap().whole() }),
		head("http.request.uri.args.names", arrayType(), listCost, func(s *source) rules.Value { return s.argumentMap().namesOf() }),
		head("http.request.uri.args.values", arrayType(), listCost, func(s *source) rules.Value { return s.argumentMap().valuesOf() }),
		head("http.request.timestamp.sec", rules.Int, 1, func(s *source) rules.Value { return rules.IntValue(s.flow.Request.Received.Unix()) }),
		head("http.request.timestamp.msec", rules.Int, 1, func(s *source) rules.Value {
			return rules.IntValue(int64(s.flow.Request.Received.Nanosecond() / 1e6))
		}),
		head("ssl", rules.Bool, 1, func(s *source) rules.Value { return rules.BoolValue(s.flow.Request.Scheme == "https") }),
	}
}

// version is a protocol as Cloudflare writes it: HTTP/2 and HTTP/3 without a minor version.
func version(proto string) string {
	if strings.HasPrefix(proto, "HTTP/2") || strings.HasPrefix(proto, "HTTP/3") {
		return proto[:len("HTTP/2")]
	}
	return proto
}

// rawFields are the target as it was received.
func rawFields() []field {
	path := func(s *source) string {
		path, _ := split(s.flow.Request.Target)
		return path
	}
	return []field{
		head("raw.http.request.uri.path", rules.Bytes, 5, func(s *source) rules.Value { return rules.BytesValue(path(s)) }),
		head("raw.http.request.uri.path.extension", rules.Bytes, 10, func(s *source) rules.Value { return rules.BytesValue(extension(path(s))) }),
		head("raw.http.request.uri.query", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.flow.Request.Query) }),
		head("raw.http.request.uri", rules.Bytes, madeCost, func(s *source) rules.Value {
			return rules.BytesValue(uri(path(s), s.flow.Request.Query, s.flow.Request.HasQuery))
		}),
		head("raw.http.request.full_uri", rules.Bytes, madeCost, func(s *source) rules.Value {
			q := &s.flow.Request
			return rules.BytesValue(q.Scheme + "://" + q.Authority + uri(path(s), q.Query, q.HasQuery))
		}),
		head("raw.http.request.uri.args", multimapType(), listCost, func(s *source) rules.Value { return s.rawArgumentMap().whole() }),
		head("raw.http.request.uri.args.names", arrayType(), listCost, func(s *source) rules.Value { return s.rawArgumentMap().namesOf() }),
		head("raw.http.request.uri.args.values", arrayType(), listCost, func(s *source) rules.Value { return s.rawArgumentMap().valuesOf() }),
	}
}

// headerFields are the request's header.
func headerFields() []field {
	named := func(of, name string) field {
		return head(of, rules.Bytes, 15, func(s *source) rules.Value { return s.header(name) })
	}
	return []field{
		head("http.request.headers", multimapType(), 5, func(s *source) rules.Value { return s.headerMap().whole() }),
		head("http.request.headers.names", arrayType(), 5, func(s *source) rules.Value { return s.headerMap().namesOf() }),
		head("http.request.headers.values", arrayType(), 5, func(s *source) rules.Value { return s.headerMap().valuesOf() }),
		head("http.request.headers.truncated", rules.Bool, 1, func(*source) rules.Value { return rules.BoolValue(false) }),
		head("http.request.cookies", multimapType(), listCost, func(s *source) rules.Value { return s.cookieMap().whole() }),
		head("http.request.accepted_languages", arrayType(), 2*listCost, (*source).acceptedLanguages),
		named("http.cookie", "cookie"),
		named("http.referer", "referer"),
		named("http.user_agent", "user-agent"),
		named("http.x_forwarded_for", "x-forwarded-for"),
	}
}

// connectionFields are the client and its connection.
func connectionFields() []field {
	return []field{
		head("ip.src", rules.IP, 1, func(s *source) rules.Value { return rules.IPValue(s.flow.Request.Client) }),
		head("ip.src.prefix", rules.IP, 1, func(s *source) rules.Value { return rules.IPValue(s.flow.Request.Source.Addr()) }),
		head("cf.edge.server_ip", rules.IP, 1, func(s *source) rules.Value { return rules.IPValue(s.flow.Conn.Local.Addr()) }, "edge.server_ip"),
		head("cf.edge.server_port", rules.Int, 1, func(s *source) rules.Value { return rules.IntValue(int64(s.flow.Conn.Local.Port())) }, "edge.server_port"),
		head("cf.edge.client_port", rules.Int, 1, func(s *source) rules.Value { return rules.IntValue(int64(s.flow.Conn.Remote.Port())) }, "edge.client_port"),
		head("cf.edge.client_tcp", rules.Bool, 1, func(s *source) rules.Value {
			return rules.BoolValue(!strings.HasPrefix(s.flow.Request.Proto, "HTTP/3"))
		}, "edge.client_tcp"),
		head("cf.threat_score", rules.Int, 1, func(*source) rules.Value { return rules.IntValue(0) }), // as Cloudflare has it by now
		head("cf.ray_id", rules.Bytes, madeCost, func(s *source) rules.Value { return rules.BytesValue(s.flow.Request.ID.String()) }, "http.request.id"),
		head("cf.random_seed", rules.Bytes, 2*madeCost, randomSeed, "random_seed"),
		head("cf.bot_management.ja4", rules.Bytes, madeCost, tlsJA4, "tls.ja4"),
		head("http.fingerprint", rules.Bytes, madeCost, httpFingerprint),
		head("cf.tls_version", rules.Bytes, 1, tlsVersion, "tls.version"),
		head("cf.tls_cipher", rules.Bytes, 10, tlsCipher, "tls.cipher"),
		head("tls.server_name", rules.Bytes, 1, func(s *source) rules.Value {
			if t := s.flow.Conn.TLS; t != nil {
				return rules.BytesValue(t.ServerName)
			}
			return rules.BytesValue("")
		}),
		head("cf.tls_client_hello_length", rules.Int, 1, func(s *source) rules.Value {
			if t := s.flow.Conn.TLS; t != nil {
				return rules.IntValue(int64(t.HelloLength))
			}
			return rules.IntValue(0)
		}, "tls.hello_length"),
	}
}

// knownFields are what the house knows of the client beside what it sent: where it is, as far as the node has files that tell (node.geo), and
// whether it is the crawler that it says it is (node.crawlers).
func knownFields() []field {
	const cost = 200
	return []field{
		head("ip.src.country", rules.Bytes, cost, func(s *source) rules.Value { return rules.BytesValue(s.flow.Request.Location().Country) }, "ip.geoip.country"),
		head("ip.src.continent", rules.Bytes, cost, func(s *source) rules.Value { return rules.BytesValue(s.flow.Request.Location().Continent) }, "ip.geoip.continent"),
		head("ip.src.asnum", rules.Int, cost, func(s *source) rules.Value { return rules.IntValue(int64(s.flow.Request.Location().ASN)) }, "ip.geoip.asnum"),
		head("ip.src.is_in_european_union", rules.Bool, cost, func(s *source) rules.Value {
			return rules.BoolValue(inEuropeanUnion(s.flow.Request.Location().Country))
		}, "ip.geoip.is_in_european_union"),
		head("cf.client.bot", rules.Bool, 1, func(s *source) rules.Value { return rules.BoolValue(s.flow.Verdict.VerifiedBot) },
			"cf.bot_management.verified_bot", "bot.verified"),
		head("bot.name", rules.Bytes, 1, func(s *source) rules.Value { return rules.BytesValue(s.flow.Verdict.BotName) }),
		head("cf.verified_bot_category", rules.Bytes, 1, func(s *source) rules.Value {
			if !s.flow.Verdict.VerifiedBot {
				return rules.BytesValue("")
			}
			return rules.BytesValue(s.flow.Verdict.BotCategory)
		}, "bot.category"),
	}
}

// inEuropeanUnion knows its members, as of 2026, and those of their regions that have a code of their own.
func inEuropeanUnion(country string) bool {
	const members = "AT AX BE BG HR CY CZ DK EE FI FR GF GP DE GR HU IE IT LV LT LU MF MQ MT NL PL PT RE RO SK SI ES SE YT"
	return len(country) == 2 && strings.Contains(members, country)
}

func response(name string, t rules.Type, cost int, value func(*source) rules.Value, aliases ...string) field {
	return field{rules.Field{Name: name, Aliases: aliases, Type: t, Cost: cost, Phase: rules.Response}, value}
}

// responseFields are the response's head, before it is changed.
func responseFields() []field {
	return []field{
		response("http.response.code", rules.Int, 1, func(s *source) rules.Value {
			if s.message == nil {
				return rules.Value{}
			}
			return rules.IntValue(int64(s.message.Status))
		}),
		response("http.response.headers", multimapType(), 5, func(s *source) rules.Value { return s.responseMap().whole() },
			"raw.http.response.headers"),
		response("http.response.headers.names", arrayType(), 5, func(s *source) rules.Value { return s.responseMap().namesOf() },
			"raw.http.response.headers.names"),
		response("http.response.headers.values", arrayType(), 5, func(s *source) rules.Value { return s.responseMap().valuesOf() },
			"raw.http.response.headers.values"),
		response("http.response.content_type.media_type", rules.Bytes, 20, mediaType),
		response("cf.timings.origin_ttfb_msec", rules.Int, 1, func(s *source) rules.Value {
			return rules.IntValue(s.flow.Origin.FirstByte.Milliseconds())
		}),
	}
}

func mediaType(s *source) rules.Value {
	if s.message == nil {
		return rules.Value{}
	}
	for i := range s.message.Fields {
		if strings.EqualFold(s.message.Fields[i].Name, "content-type") {
			media, _, _ := strings.Cut(s.message.Fields[i].Value, ";")
			return rules.BytesValue(strings.ToLower(strings.TrimSpace(media)))
		}
	}
	return rules.BytesValue("")
}
