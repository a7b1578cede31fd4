# A voter is off for long: another takes its place, and its log is no longer wanted. When it is back, it cannot write down
# that it keeps no log any more, as its disk is full. Then the log stays where it is. Else it would begin an empty
# one at the next start, with the id by which it once voted and acknowledged entries.
office 6 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 1 spare
call Old a voter
kill Old
await Old spare within 60s
> yes
wait 2s
start Old
wait 1s
fill disk of Old
wait 15s
show books of Old
> keeps no log
make room on Old
kill Old
start Old
wait 2s
show books of Old
> keeps a log
wait 15s
show books of Old
> keeps no log
