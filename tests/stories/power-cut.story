# The power of the whole office fails. Whatever majority of the voters comes back has everything that was answered.

office 5 desktops seats 2 ttl 15s over wifi
> 3 voters, 2 standbys, 0 spares
call A the holder
call B a voter
call C a voter
call Off a standby
call On a standby
checkout eva@Off as a
> granted
power cut all
start A B On
await holder within 5s
> yes
show seats
> 1 of 2 taken in the books; used by nobody

# C knows nothing of this one.
checkout jan@On as b within 3s
> granted

power cut all
start B C
await holder within 5s
> yes
show seats
> 2 of 2 taken in the books; used by nobody
power cut all
start A C
await holder within 5s
> yes
show seats
> 2 of 2 taken in the books; used by nobody

# One alone is no majority.
power cut all
start C
wait 10s
show C
> nobody holds

# Programs did not survive. Their machines say so when they are back.
start all
await holder within 5s
> yes
await 2 free within 5s
> yes
