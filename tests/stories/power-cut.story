# The power of the whole office fails. Whatever majority of the voters comes back has everything that was answered.

office 5 desktops seats 2 ttl 15s over wifi
call A the holder
call B a voter
call C a voter
call Off a standby
call On a standby
checkout eva@Off as a
power cut all
start A B On
await holder within 5s
show seats

# C knows nothing of this one.
checkout jan@On as b within 3s

power cut all
start B C
await holder within 5s
show seats
power cut all
start A C
await holder within 5s
show seats

# One alone is no majority.
power cut all
start C
wait 10s
show C

# Programs did not survive. Their machines say so when they are back.
start all
await holder within 5s
await 2 free within 5s
