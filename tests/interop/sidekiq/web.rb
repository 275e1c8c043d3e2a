# frozen_string_literal: true

# Serves Sidekiq::Web on a free loopback port, and says it on stdout as {"result": port}.
#
# On WEBrick, because Debian's Ruby always brings it.  Sidekiq::Web needs a session for the tokens
# of its forms, so the client has to keep the cookie.  Ends with its stdin.

require "json"
require "securerandom"
require "sidekiq"
require "sidekiq/web"
require "rack/handler/webrick"

# redis-rb 4.8 warns of what its version 5 will do; Sidekiq 6.4.1 never meets it.
Redis.silence_deprecations = true

$stdout.sync = true
Sidekiq.logger = Sidekiq::Logger.new($stderr)

web = Rack::Builder.new do
  use Rack::ShowExceptions # a page that raises answers 500 with the trace in it
  use Rack::Session::Cookie, secret: SecureRandom.hex(32), same_site: true
  run Sidekiq::Web
end

server = WEBrick::HTTPServer.new(
  BindAddress: "127.0.0.1",
  Port: 0,
  AccessLog: [],
  Logger: WEBrick::Log.new($stderr),
  StartCallback: -> { puts JSON.generate("result" => server.listeners.first.addr[1]) }
)
server.mount("/", Rack::Handler::WEBrick, web.to_app)

Thread.new do
  $stdin.read
  server.shutdown
end
trap("TERM") { server.shutdown }
server.start
