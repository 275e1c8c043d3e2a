# frozen_string_literal: true

# A Sidekiq client driven by stdin: one JSON object a line in, one JSON object a line out.
#
#   {"do": "perform_async", "class": C, "args": [..], "set": {..}}         {"result": jid}
#   {"do": "perform_in", "class": C, "args": [..], "set": {..}, "in": s}   {"result": jid}
#   {"do": "perform_bulk", "class": C, "args": [[..], ..], "set": {..}}    {"result": [jid, ..]}
#   {"do": "push", "item": {..}}                                           {"result": jid}
#   {"do": "push_bulk", "item": {..}}                                      {"result": [jid, ..]}
#   {"do": "reschedule", "set": key, "jid": J, "in": s}                    {"result": null}
#   {"do": "poll"}              one round of the scheduler's poller        {"result": null}
#   {"do": "stats"}             Sidekiq::Stats                             {"result": {..}}
#   {"do": "processes"}         Sidekiq::ProcessSet                        {"result": [{..}, ..]}
#   {"do": "work"}              Sidekiq::WorkSet                           {"result": [{..}, ..]}
#
# "class" names a class of workers.rb; an "item"'s class stays a string, so that no class has to
# exist for it.  What Sidekiq raises is answered as {"error": "ArgumentError: .."}.

require_relative "workers"
require "sidekiq/api"
require "sidekiq/scheduled"

STATS = %i[
  processed failed enqueued scheduled_size retry_size dead_size processes_size workers_size default_queue_latency
].freeze

def setter(request)
  Object.const_get(request.fetch("class")).set(request.fetch("set"))
end

def answer(request)
  case request.fetch("do")
  when "perform_async" then setter(request).perform_async(*request.fetch("args"))
  when "perform_in" then setter(request).perform_in(request.fetch("in"), *request.fetch("args"))
  when "perform_bulk" then setter(request).perform_bulk(request.fetch("args"))
  when "push" then Sidekiq::Client.push(request.fetch("item"))
  when "push_bulk" then Sidekiq::Client.push_bulk(request.fetch("item"))
  when "reschedule"
    Sidekiq::JobSet.new(request.fetch("set")).find_job(request.fetch("jid")).reschedule(Time.now + request.fetch("in")) && nil
  when "poll" then Sidekiq::Scheduled::Enq.new.enqueue_jobs && nil
  when "stats" then Sidekiq::Stats.new.then { |stats| STATS.to_h { |name| [name, stats.public_send(name)] } }
  when "processes" then Sidekiq::ProcessSet.new.map { |process| process.instance_variable_get(:@attribs) }
  when "work" then Sidekiq::WorkSet.new.map { |identity, tid, work| work.merge("identity" => identity, "tid" => tid) }
  else raise ArgumentError, "unknown request: #{request}"
  end
end

# Sidekiq logs to stdout, which belongs to the answers.
Sidekiq.logger = Sidekiq::Logger.new($stderr)
$stdout.sync = true
puts JSON.generate("result" => Sidekiq::VERSION)

$stdin.each_line do |line|
  puts JSON.generate("result" => answer(JSON.parse(line)))
rescue => error
  puts JSON.generate("error" => "#{error.class}: #{error.message}")
end
